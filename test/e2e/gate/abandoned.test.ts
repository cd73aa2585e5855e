// `abandoned: wait`: for services that cannot cancel, a permit comes back only when the upstream is done.
import { expect } from 'chai'
import { RawServer } from '../../../packages/testkit/src/raw/index.ts'
import { get, handshake, request } from '../support/ask.ts'
import { Stage } from '../support/stage.ts'

const gate = { limit: 1, queue: 5, timeout: '5s', abandoned: 'wait' }

describe('a gate with `abandoned: wait`', () => {
  let slow: RawServer
  let stage: Stage

  const open = async (protocol: string, timeouts: object = {}) => {
    slow = await RawServer.start()
    const scheme = protocol === 'tcp' ? 'tcp' : 'http'
    stage = await Stage.start({
      listeners: { in: { bind: '127.0.0.1:0', protocol, upstream: 'up' } },
      upstreams: { up: { endpoints: [`${scheme}://127.0.0.1:${slow.port}`], gate, timeouts } },
    })
    stage.closesWith(slow)
  }

  const id = 'upstream:up'

  afterEach(async () => {
    await stage.close()
  })

  it('keeps the permit of a request whose client has left until the response is complete', async () => {
    await open('http')
    const gone = await stage.client('in')
    await gone.write(get('/first'))
    await stage.atGate(id, { running: 1 })
    const upstream = await slow.accept()
    await upstream.readHead()
    gone.rst()
    const next = await stage.client('in')
    await next.write(get('/second'))
    await stage.atGate(id, { running: 1, waiting: 1 })
    await upstream.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab')
    await stage.atGate(id, { running: 1, waiting: 1 })
    await upstream.write('cd')
    // The connection is as good as new, and serves the one that waited.
    expect(await upstream.readHead()).to.match(/^GET \/second /)
    await upstream.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
    expect(await next.readHead()).to.match(/^HTTP\/1.1 200 /)
    expect(stage.faults).to.deep.equal([])
  })

  it('waits no longer than `timeouts.response`', async () => {
    await open('http', { response: '300ms' })
    const gone = await stage.client('in')
    await gone.write(get('/first'))
    const upstream = await slow.accept()
    await upstream.readHead()
    gone.rst()
    expect(await upstream.ended).to.equal('rst')
    await stage.atGate(id, { running: 0 })
  })

  it('ends the upload of a client that left in the middle with a FIN, and waits for the upstream to close', async () => {
    await open('http')
    const gone = await stage.client('in')
    await gone.write(`${request('POST', '/up', ['Content-Length: 200000'])}${'x'.repeat(100_000)}`)
    const upstream = await slow.accept()
    await stage.atGate(id, { running: 1 })
    gone.rst()
    expect(await upstream.ended).to.equal('fin')
    await stage.atGate(id, { running: 1 })
    await upstream.fin()
    await stage.atGate(id, { running: 0 })
  })

  it('keeps the permit of a TCP connection until the upstream has closed its own', async () => {
    await open('tcp')
    const gone = await stage.client('in')
    await gone.write('hello')
    const upstream = await slow.accept()
    gone.rst()
    expect(await upstream.ended).to.equal('fin')
    await stage.atGate(id, { running: 1 })
    await upstream.fin()
    await stage.atGate(id, { running: 0 })
  })

  it('keeps the permit of a WebSocket until the upstream has closed its own', async () => {
    await open('websocket')
    const gone = await stage.client('in')
    await gone.write(handshake('/'))
    const upstream = await slow.accept()
    await upstream.readHead()
    await upstream.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n')
    expect(await gone.readHead()).to.match(/^HTTP\/1.1 101 /)
    gone.rst()
    expect(await upstream.ended).to.equal('fin')
    await stage.atGate(id, { running: 1 })
    await upstream.fin()
    await stage.atGate(id, { running: 0 })
  })

  it('keeps it, too, when the client leaves before the 101', async () => {
    await open('websocket')
    const gone = await stage.client('in')
    await gone.write(handshake('/'))
    const upstream = await slow.accept()
    await upstream.readHead()
    gone.rst()
    await stage.atGate(id, { running: 1 })
    await upstream.write(
      'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n\x81\x01x',
    )
    expect(await upstream.ended).to.equal('fin')
    await stage.atGate(id, { running: 1 })
    await upstream.fin()
    await stage.atGate(id, { running: 0 })
  })
})
