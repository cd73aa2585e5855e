import { expect } from 'chai'
import { eventually, scaled, SeededRandom } from '../../../testkit/src/index.ts'
import { Acceptor, connectLink, http2Error, http2Options, Http2Session } from '../../src/index.ts'
import { fields, NotedStream, Stand } from './stand.ts'

const streams = 60

/** What a client's object is waiting for. */
interface Call {
  readonly name: string
  content: number
  trailers: boolean
}

describe('Http2Session, both ends with objects that are used again', () => {
  it('gives no answer to another request, while both sides cancel at random', async function () {
    this.timeout(120_000)
    const total = scaled({ test: 5_000, ci: 20_000, soak: 500_000 })
    const random = new SeededRandom(2_026)
    const server = new Stand()
    const client = new Stand()
    const freeOfServer: NotedStream[] = []

    // The server answers with the name that it was asked for, as content of a length that the name tells.
    const answer = (stream: NotedStream, id: number, name: string) => {
      // As whoever comes back later has to look: the object may have begun another life.
      if (stream.id !== id || stream.closed) return
      const bytes = Buffer.alloc(Number(name) % 3_000, name)
      stream.sendHead(fields(':status 200', `x-name ${name}`), false)
      stream.sendData(bytes, 0, bytes.length, false)
      bytes.fill(0xdb)
      stream.sendTrailers(fields(`x-trailer ${name}`))
    }
    server.newStreamDo = () => freeOfServer.pop() ?? new NotedStream(server)
    server.onClosedDo = (stream) => {
      freeOfServer.push(stream)
      stream.events.length = 0
      server.log.length = 0
    }
    server.onHeadDo = (stream, head) => {
      const name = head.header('x-name')!
      const { id } = stream
      if (random.chance(0.1)) return stream.reset(http2Error.refusedStream)
      if (random.chance(0.5)) return answer(stream, id, name)
      setImmediate(() => {
        if (random.chance(0.1) && stream.id === id) stream.reset(http2Error.cancel)
        else answer(stream, id, name)
      })
    }

    const calls = new Map<NotedStream, Call>()
    const wrong: string[] = []
    let begun = 0
    let answered = 0
    let cut = 0
    const begin = (stream: NotedStream) => {
      if (begun === total) return
      const name = String(begun++)
      calls.set(stream, { name, content: 0, trailers: false })
      client.session.open(stream)
      stream.sendHead(fields(':method POST', ':scheme http', ':path /', ':authority a', `x-name ${name}`), true)
      const fate = random.next()
      if (fate < 0.1) stream.reset(http2Error.cancel)
      else if (fate < 0.2) {
        const { id } = stream
        setImmediate(() => stream.id === id && stream.reset(http2Error.cancel))
      }
    }
    client.onHeadDo = (stream, head) => {
      const { name } = calls.get(stream)!
      if (head.header('x-name') !== name) wrong.push(`${name} has the head of ${head.header('x-name')}`)
      if (random.chance(0.05)) stream.reset(http2Error.cancel)
    }
    client.onDataDo = (stream, bytes, start, end) => {
      const call = calls.get(stream)!
      const expected = Buffer.alloc(3_000 * 2, call.name)
      // The content repeats the name from its beginning.
      const at = call.content % call.name.length
      if (!bytes.subarray(start, end).equals(expected.subarray(at, at + end - start)))
        wrong.push(`${call.name} has other content`)
      call.content += end - start
    }
    client.onTrailersDo = (stream, trailers) => {
      const call = calls.get(stream)!
      if (trailers.header('x-trailer') !== call.name) wrong.push(`${call.name} has the trailers of another`)
      if (call.content !== Number(call.name) % 3_000) wrong.push(`${call.name} has ${call.content} octets`)
      call.trailers = true
    }
    client.onClosedDo = (stream) => {
      if (calls.get(stream)!.trailers) answered++
      else cut++
      stream.events.length = 0
      stream.content.length = 0
      client.log.length = 0
      begin(stream)
    }

    const options = http2Options({ maxResets: 1_000_000, maxEmptyFrames: 1_000_000 })
    const acceptor = new Acceptor({
      tls: undefined,
      admit: () => 0,
      leave: () => undefined,
      refused: () => undefined,
      accept: (link) => (server.session = new Http2Session(link, 'server', options, server)),
    })
    const { port } = (await acceptor.listen({ host: '127.0.0.1', port: 0 })) as { port: number }
    const nobody = {
      onConnect() {},
      onBytes() {},
      onEnd() {},
      onCongested() {},
      onDrain() {},
      onClose() {},
      onFault() {},
    }
    const link = connectLink({ host: '127.0.0.1', port }, nobody)
    client.session = new Http2Session(link, 'client', options, client)
    await eventually(() => client.session.settled)
    for (let i = 0; i < streams; i++) begin(new NotedStream(client))
    await eventually(() => answered + cut === total, { timeoutMs: 110_000, what: 'all calls have ended' })

    expect(wrong).to.deep.equal([])
    expect([...client.faults, ...server.faults]).to.deep.equal([])
    expect(answered).to.be.above(total / 2)
    expect(cut).to.be.above(total / 10)
    await eventually(() => server.session.openStreams === 0 && client.session.openStreams === 0)
    expect(server.streams.length).to.be.below(2 * streams)
    client.session.shutdown()
    await eventually(() => client.closed && server.closed)
    acceptor.destroy()
  })
})
