import { expect } from 'chai'
import { type ConfigInput, createProxy, type Proxy } from '../../../sluice/src/index.ts'
import { dataFrame, h2, headersFrame, RawHttp2, requestFields, rstFrame } from '../../../testkit/src/http2/index.ts'
import { eventually, type RawConnection, RawServer } from '../../../testkit/src/raw/index.ts'
import { valueOf } from './four-pairs.ts'

/** A proxy before an upstream of HTTP/1.1 and one of HTTP/2 whose connections a test takes itself. */
class Taken {
  readonly proxy: Proxy
  readonly one: RawServer
  readonly two: RawServer
  readonly #closers: (() => Promise<void>)[] = []

  private constructor(proxy: Proxy, one: RawServer, two: RawServer) {
    this.proxy = proxy
    this.one = one
    this.two = two
  }

  static async start(): Promise<Taken> {
    const [one, two] = [await RawServer.start(), await RawServer.start()]
    const shared = { bind: '127.0.0.1:0', protocol: 'http' }
    const proxy = await createProxy({
      listeners: { to1: { ...shared, upstream: 'one' }, to2: { ...shared, upstream: 'two' } },
      upstreams: {
        one: { endpoints: [`127.0.0.1:${one.port}`], buffer: { request: '1KiB' } },
        two: { endpoints: [`127.0.0.1:${two.port}`], protocol: 'http2', buffer: { request: '1KiB' } },
      },
    } as unknown as ConfigInput)
    await proxy.listen()
    return new Taken(proxy, one, two)
  }

  async session(listener: 'to1' | 'to2'): Promise<RawHttp2> {
    const peer = await RawHttp2.connect((this.proxy.addresses[listener] as { port: number }).port)
    this.#closers.push(() => peer.close())
    return peer
  }

  async close(): Promise<void> {
    await Promise.all(this.#closers.map((close) => close()))
    await eventually(() => this.proxy.stats().exchanges === 0, { what: 'no exchange left' })
    await this.proxy.close()
    await this.one.close()
    await this.two.close()
  }
}

const post = (id: number, length: number, more: readonly (readonly [string, string])[] = []) =>
  headersFrame(id, requestFields('/', 'POST', [['content-length', String(length)], ...more]), h2.endHeaders)

describe('responses to clients of HTTP/2', () => {
  let taken: Taken
  beforeEach(async () => {
    taken = await Taken.start()
  })
  afterEach(() => taken.close())

  async function answers1(connection: RawConnection): Promise<void> {
    await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly')
  }

  it('that come early from HTTP/1.1 come whole, and then RST_STREAM with NO_ERROR', async () => {
    const peer = await taken.session('to1')
    await peer.send(post(1, 100_000), dataFrame(1, 'x'.repeat(10_000)))
    const up = await taken.one.accept()
    await up.readHead()
    await answers1(up)
    const { content } = await peer.message(1)
    expect(content.toString()).to.equal('early')
    expect((await peer.next({ id: 1, type: h2.rstStream })).payload.readUInt32BE()).to.equal(0)
    // A connection on which a request was left half said is of no more use.
    await eventually(() => taken.proxy.stats().upstreams[0]!.endpoints[0]!.connections.idle === 0)
  })

  it('that come early from HTTP/2 come whole, end with NO_ERROR either way, and leave both sessions in use', async () => {
    const peer = await taken.session('to2')
    await peer.send(post(1, 100_000), dataFrame(1, 'x'.repeat(10_000)))
    const up = await RawHttp2.accept(await taken.two.accept())
    await up.next({ id: 1, type: h2.data })
    await up.send(headersFrame(1, [[':status', '200']], h2.endHeaders), dataFrame(1, 'early', { end: true }))
    expect((await up.next({ id: 1, type: h2.rstStream })).payload.readUInt32BE()).to.equal(0)
    expect((await peer.message(1)).content.toString()).to.equal('early')
    expect((await peer.next({ id: 1, type: h2.rstStream })).payload.readUInt32BE()).to.equal(0)
    await peer.send(headersFrame(3, requestFields()))
    await up.next({ id: 3, type: h2.headers })
    await up.send(headersFrame(3, [[':status', '204']]))
    expect((await peer.message(3)).status).to.equal(204)
  })

  it('that come early and are followed by the upstream’s own NO_ERROR come whole', async () => {
    const peer = await taken.session('to2')
    await peer.send(post(1, 100_000), dataFrame(1, 'x'.repeat(10_000)))
    const up = await RawHttp2.accept(await taken.two.accept())
    await up.next({ id: 1, type: h2.data })
    await up.send(
      headersFrame(1, [[':status', '413']], h2.endHeaders),
      dataFrame(1, 'early', { end: true }),
      rstFrame(1, 0),
    )
    const { status, content } = await peer.message(1)
    expect([status, content.toString()]).to.deep.equal([413, 'early'])
  })

  it('bring a 100 before the body goes up, from either version', async () => {
    const expecting = [['expect', '100-continue']] as const
    const first = await taken.session('to1')
    await first.send(post(1, 5, expecting))
    const one = await taken.one.accept()
    expect(await one.readHead()).to.match(/\r\nexpect: 100-continue\r\n/i)
    await one.write('HTTP/1.1 100 Continue\r\n\r\n')
    expect(valueOf((await first.next({ id: 1, type: h2.headers })).fields!, ':status')).to.equal('100')
    await first.send(dataFrame(1, 'hello', { end: true }))
    expect((await one.readExactly(5)).toString()).to.equal('hello')
    await answers1(one)
    expect((await first.message(1)).status).to.equal(200)

    const second = await taken.session('to2')
    await second.send(post(1, 5, expecting))
    const two = await RawHttp2.accept(await taken.two.accept())
    await two.next({ id: 1, type: h2.headers })
    await two.send(headersFrame(1, [[':status', '100']], h2.endHeaders))
    expect(valueOf((await second.next({ id: 1, type: h2.headers })).fields!, ':status')).to.equal('100')
    await second.send(dataFrame(1, 'hello', { end: true }))
    expect((await two.next({ id: 1, type: h2.data })).payload.toString()).to.equal('hello')
    await two.send(headersFrame(1, [[':status', '204']]))
    expect((await second.message(1)).status).to.equal(204)
  })

  it('arrive piece by piece: each before the next one is made', async () => {
    const peer = await taken.session('to1')
    await peer.send(headersFrame(1, requestFields()))
    const up = await taken.one.accept()
    await up.readHead()
    await up.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
    await peer.next({ id: 1, type: h2.headers })
    for (const piece of ['one', 'two', 'six']) {
      await up.write(`3\r\n${piece}\r\n`)
      expect((await peer.next({ id: 1, type: h2.data })).payload.toString()).to.equal(piece)
    }
    await up.write('0\r\n\r\n')
    expect((await peer.next({ id: 1, type: h2.data })).flags).to.equal(h2.endStream)
  })

  it('of requests that their client gives up are given up at the upstream, whose session lives on', async () => {
    const peer = await taken.session('to2')
    await peer.send(headersFrame(1, requestFields()))
    const up = await RawHttp2.accept(await taken.two.accept())
    await up.next({ id: 1, type: h2.headers })
    await peer.send(rstFrame(1, 8))
    expect((await up.next({ id: 1, type: h2.rstStream })).payload.readUInt32BE()).to.equal(8)
    await peer.send(headersFrame(3, requestFields()))
    await up.next({ id: 3, type: h2.headers })
    await up.send(headersFrame(3, [[':status', '204']]))
    expect((await peer.message(3)).status).to.equal(204)
  })

  it('go out while others of their connection wait', async () => {
    const peer = await taken.session('to2')
    await peer.send(headersFrame(1, requestFields('/slow')), headersFrame(3, requestFields('/fast')))
    const up = await RawHttp2.accept(await taken.two.accept())
    await up.next({ id: 3, type: h2.headers })
    await up.send(headersFrame(3, [[':status', '204']]))
    expect((await peer.message(3)).status).to.equal(204)
    await up.send(headersFrame(1, [[':status', '204']]))
    expect((await peer.message(1)).status).to.equal(204)
  })
})
