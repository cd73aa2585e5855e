import { expect } from 'chai'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  type ClientHttp2Session,
  connect,
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type IncomingHttpHeaders,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import { createSecureContext } from 'node:tls'
import { eventually, SeededRandom } from '../../../testkit/src/index.ts'
import { Acceptor, connectLink, http2Options, Http2Session } from '../../src/index.ts'
import { certificate } from '../link/certificate.ts'
import { closeStands, fields, NotedStream, Stand } from './stand.ts'

/** Echoes content as it comes, and takes no more than it could send: a proxy in small. */
function echoing(stand: Stand): void {
  stand.newStreamDo = () => Object.assign(new NotedStream(stand), { takes: false })
  stand.onHeadDo = (stream, _head, ended) => {
    stream.sendHead(fields(':status 200', 'content-type application/grpc'), false)
    if (ended) stream.sendTrailers(fields('grpc-status 0'))
  }
  stand.onDataDo = (stream, bytes, start, end, ended) => {
    stream.content.length = 0
    const before = stream.queuedBytes
    stream.sendData(bytes, start, end, false)
    stream.consumed(end - start - (stream.queuedBytes - before))
    if (ended) stream.sendTrailers(fields('grpc-status 0'))
  }
  stand.onSentDo = (stream, bytes) => stream.consumed(bytes)
}

for (const secure of [false, true]) {
  describe(`node:http2 as a client${secure ? ' under TLS' : ''}`, () => {
    const stands: Stand[] = []
    let acceptor: Acceptor
    let client: ClientHttp2Session

    beforeEach(async () => {
      acceptor = new Acceptor({
        tls: secure ? { secureContext: createSecureContext(certificate), protocols: ['h2'] } : undefined,
        admit: () => 0,
        leave: () => undefined,
        refused: () => undefined,
        accept: (link) => {
          const stand = new Stand()
          stands.push(stand)
          echoing(stand)
          stand.session = new Http2Session(link, 'server', http2Options(), stand)
          return stand.session
        },
      })
      const { port } = (await acceptor.listen({ host: '127.0.0.1', port: 0 })) as { port: number }
      client = secure
        ? connect(`https://127.0.0.1:${port}`, { ca: certificate.cert, servername: 'sluice.test' })
        : connect(`http://127.0.0.1:${port}`)
      await once(client, 'connect')
      await eventually(() => stands.length === 1)
    })

    afterEach(async () => {
      client.destroy()
      acceptor.destroy()
      await eventually(() => stands.every(({ closed }) => closed))
      expect(stands.flatMap(({ faults }) => faults)).to.deep.equal([])
      stands.length = 0
    })

    async function exchange(seed: number, bytes: number): Promise<void> {
      const random = new SeededRandom(seed)
      const request = client.request({ ':method': 'POST', ':path': `/${seed}`, te: 'trailers' })
      const [sent, came] = [createHash('sha1'), createHash('sha1')]
      let trailers: IncomingHttpHeaders = {}
      request.on('trailers', (them: IncomingHttpHeaders) => (trailers = them))
      const writing = (async () => {
        let left = bytes
        while (left > 0) {
          const chunk = Buffer.alloc(Math.min(left, 1 + random.below(60_000)), random.below(256))
          left -= chunk.length
          sent.update(chunk)
          if (!request.write(chunk)) await once(request, 'drain')
        }
        request.end()
      })()
      let length = 0
      for await (const chunk of request as AsyncIterable<Buffer>) {
        length += chunk.length
        came.update(chunk)
      }
      await writing
      expect(length).to.equal(bytes)
      expect(came.digest('hex')).to.equal(sent.digest('hex'))
      expect(trailers['grpc-status']).to.equal('0')
    }

    it('gets back what it sends, on many streams at once', async () => {
      await Promise.all(Array.from({ length: 40 }, (_, i) => exchange(i + 1, [0, 1, 1_000, 70_000, 2_000_000][i % 5]!)))
      expect(stands[0]!.session.openStreams).to.equal(0)
      expect(stands[0]!.session.servedStreams).to.equal(40)
    })

    it('leaves, and is left, without an error', async () => {
      await exchange(1, 100)
      stands[0]!.session.shutdown()
      await once(client, 'close')
      await eventually(() => stands[0]!.closed)
      expect(stands[0]!.error).to.equal(undefined)
    })

    it('cancels', async () => {
      // Our side stays open.
      stands[0]!.onDataDo = undefined
      const request = client.request({ ':method': 'POST' })
      await once(request, 'response')
      request.close(8)
      await eventually(() => stands[0]!.streams[0]?.closed)
      expect(stands[0]!.streams[0]!.events.at(-2)).to.equal('reset CANCEL by peer')
    })
  })

  describe(`node:http2 as a server${secure ? ' under TLS' : ''}`, () => {
    let server: Http2Server | Http2SecureServer
    let stand: Stand

    beforeEach(async () => {
      server = secure ? createSecureServer(certificate) : createServer()
      server.on('stream', (stream) => {
        stream.on('error', () => undefined)
        stream.respond({ ':status': 200 }, { waitForTrailers: true })
        stream.on('wantTrailers', () => stream.sendTrailers({ 'x-end': 'yes' }))
        stream.pipe(stream)
      })
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      stand = new Stand()
      const tls = {
        secureContext: createSecureContext({ ca: certificate.cert }),
        serverName: 'sluice.test',
        protocols: ['h2'],
      }
      const { port } = server.address() as AddressInfo
      const nobody = {
        onConnect() {},
        onBytes() {},
        onEnd() {},
        onCongested() {},
        onDrain() {},
        onClose() {},
        onFault() {},
      }
      const link = connectLink({ host: '127.0.0.1', port }, nobody, secure ? tls : undefined)
      stand.session = new Http2Session(link, 'client', http2Options(), stand)
      await eventually(() => stand.session.settled)
    })

    afterEach(async () => {
      stand.session.shutdown()
      await eventually(() => stand.closed)
      expect(stand.faults).to.deep.equal([])
      await new Promise((resolve) => server.close(resolve))
      await closeStands()
    })

    it('gives back what it is sent, on many streams at once', async () => {
      const random = new SeededRandom(11)
      const contents = Array.from({ length: 30 }, (_, i) =>
        Buffer.alloc([0, 1, 5_000, 300_000][i % 4]!, random.below(256)),
      )
      const streams = contents.map((content) => {
        const stream = new NotedStream(stand)
        stand.session.open(stream)
        stream.sendHead(fields(':method POST', ':scheme http', ':path /', ':authority sluice.test'), false)
        stream.sendData(content, 0, content.length, true)
        return stream
      })
      await eventually(() => streams.every(({ closed }) => closed))
      for (const [i, stream] of streams.entries()) {
        expect(Buffer.concat(stream.content).equals(contents[i]!)).to.equal(true)
        expect(stream.events.slice(-2)).to.deep.equal(['trailers x-end=yes', 'closed'])
      }
    })
  })
}
