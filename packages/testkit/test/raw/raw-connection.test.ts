import { expect } from 'chai'
import { ConnectionEnded, deferred, eventually, type RawConnection, RawClient, RawServer } from '../../src/raw/index.ts'

async function failureOf(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise
  } catch (error) {
    return error as Error
  }
  throw new Error('it did not fail')
}

describe('RawConnection', () => {
  let server: RawServer
  let client: RawClient
  let peer: RawConnection

  beforeEach(async () => {
    server = await RawServer.start()
    client = await RawClient.connect({ port: server.port, timeoutMs: 2000 })
    peer = await server.accept()
  })

  afterEach(async () => {
    await client.close()
    await server.close()
  })

  it('reads up to a text, to an expression, to a number of bytes, and leaves the rest', async () => {
    await client.write('GET / HTTP/1.1\r\nhost: a\r\n\r\nbody;count=42;\xffrest')
    expect(await peer.readHead()).to.equal('GET / HTTP/1.1\r\nhost: a\r\n\r\n')
    expect((await peer.readExactly(4)).toString()).to.equal('body')
    expect((await peer.readUntil(/count=\d+;/)).toString()).to.equal(';count=42;')
    expect((await peer.readUntil(new Uint8Array([0xff]))).length).to.equal(1)
    expect(peer.buffered.toString()).to.equal('rest')
  })

  it('finds a pattern that comes in pieces', async () => {
    const head = peer.readHead()
    for (const byte of 'A: b\r\n\r\n') await client.write(byte)
    expect(await head).to.equal('A: b\r\n\r\n')
  })

  it('tells a FIN and keeps the other direction open', async () => {
    await client.write('last words')
    await client.fin()
    expect((await peer.readToEnd()).toString()).to.equal('last words')
    expect(await peer.ended).to.equal('fin')
    await peer.write('answer')
    await peer.fin()
    expect((await client.readToEnd()).toString()).to.equal('answer')
    expect((await client.closed).by).to.equal('fin')
    expect((await peer.closed).by).to.equal('fin')
  })

  it('tells a reset', async () => {
    const reading = failureOf(peer.readToEnd())
    client.rst()
    const error = await reading
    expect(error).to.be.instanceOf(ConnectionEnded)
    expect(error).to.include({ by: 'rst' })
    expect(await peer.ended).to.equal('rst')
    expect((await peer.closed).by).to.equal('rst')
    expect((await client.closed).by).to.equal('rst')
  })

  it('fails a read with what has come when the peer ends too soon', async () => {
    await client.write('abc')
    await client.fin()
    const error = await failureOf(peer.readExactly(10))
    expect(error.message).to.equal('fin came, with 3 bytes unread: "abc", before 10 bytes')
  })

  it('fails a read at its deadline with what has come', async () => {
    const impatient = await RawClient.connect({ port: server.port, timeoutMs: 20 })
    await (await server.accept()).write('part')
    const error = await failureOf(impatient.readHead())
    expect(error.message).to.match(/within 20 ms; with 4 bytes unread: "part"/)
    await impatient.close()
  })

  it('stops a writer while it is paused, and loses nothing', async () => {
    const block = Buffer.alloc(8_388_608, 'sluice')
    client.pause()
    let written = false
    const writing = peer.write(block).then(() => (written = true))
    await eventually(() => peer.socket.writableLength > 0)
    expect(written).to.equal(false)
    client.resume()
    expect((await client.readExactly(block.length)).equals(block)).to.equal(true)
    await writing
  })

  it('gives a long transfer chunk by chunk, to the FIN', async () => {
    const block = Buffer.alloc(4_194_304, 'sluice')
    void peer.write(block).then(() => peer.fin())
    const chunks: Buffer[] = []
    for await (const chunk of client.chunks()) chunks.push(chunk)
    expect(Buffer.concat(chunks).equals(block)).to.equal(true)
  })
})

describe('RawServer', () => {
  it('runs a script per connection and counts what is open', async () => {
    const release = deferred()
    const server = await RawServer.start(async (connection, index) => {
      await release.promise
      await connection.write(String(index))
      await connection.fin()
    })
    const clients = [await RawClient.connect(server.port), await RawClient.connect(server.port)]
    await eventually(() => server.accepted === 2)
    expect(server.open).to.equal(2)
    release.resolve()
    const answers = await Promise.all(clients.map((client) => client.readToEnd()))
    expect(answers.map(String).sort()).to.deep.equal(['0', '1'])
    await Promise.all(clients.map((client) => client.fin()))
    await eventually(() => server.open === 0)
    await server.close()
  })

  it('fails its close with what a script threw, and resets that connection', async () => {
    const server = await RawServer.start(async (connection) => {
      expect((await connection.readExactly(1)).toString()).to.equal('a')
    })
    const client = await RawClient.connect(server.port)
    await client.write('b')
    expect((await client.closed).by).to.equal('rst')
    expect((await failureOf(server.close())).message).to.match(/expected 'b' to equal 'a'/)
  })

  it('takes it for no failure that the peer leaves in the middle of a script', async () => {
    const server = await RawServer.start(async (connection) => void (await connection.readExactly(10)))
    const client = await RawClient.connect(server.port)
    await eventually(() => server.accepted === 1)
    client.rst()
    await eventually(() => server.open === 0)
    await server.close()
  })

  it('leaves a client without a listener a refused connect', async () => {
    const server = await RawServer.start()
    await server.close()
    expect(await failureOf(RawClient.connect(server.port))).to.include({ code: 'ECONNREFUSED' })
  })
})

describe('eventually', () => {
  it('gives back the first truthy value', async () => {
    let turns = 0
    expect(await eventually(() => ++turns > 60 && 'done')).to.equal('done')
  })

  it('tells the last value at its deadline', async () => {
    const error = await failureOf(eventually(() => 0, { timeoutMs: 5, what: 'a number above 0' }))
    expect(error.message).to.equal('not within 5 ms: a number above 0; the last value was 0')
  })

  it('takes an assertion that throws for not yet', async () => {
    let turns = 0
    await eventually(() => {
      expect(++turns).to.be.above(3)
      return true
    })
    const error = await failureOf(eventually(() => expect(1).to.equal(2), { timeoutMs: 5 }))
    expect(error.message).to.match(/the last error was expected 1 to equal 2$/)
  })
})
