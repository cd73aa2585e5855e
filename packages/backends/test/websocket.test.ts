import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { expect } from 'chai'
import { type ClientOptions, WebSocket } from 'ws'
import { eventually } from '../../testkit/src/raw/index.ts'
import { type Backend, randomBytesOf, startWebSocketBackend } from '../src/index.ts'

describe('WebSocket backend', () => {
  let backend: Backend
  const clients: WebSocket[] = []

  const dial = (path: string, protocols: string[] = [], options: ClientOptions = {}): WebSocket => {
    const client = new WebSocket(`ws://127.0.0.1:${backend.address.port}${path}`, protocols, options)
    clients.push(client)
    return client
  }
  const open = async (path: string, protocols: string[] = []): Promise<WebSocket> => {
    const client = dial(path, protocols)
    await once(client, 'open')
    return client
  }

  before(async () => {
    backend = await startWebSocketBackend({ name: 'websocket-1' })
  })

  afterEach(async () => {
    for (const client of clients.splice(0)) {
      client.removeAllListeners('error').on('error', () => undefined)
      client.terminate()
    }
    await eventually(() => backend.stats().running === 0)
    backend.resetStats()
  })

  after(() => backend.close())

  it('echoes text as text and binary as binary', async () => {
    const client = await open('/')
    client.send('grüezi')
    const [text, textIsBinary] = (await once(client, 'message')) as [Buffer, boolean]
    expect([text.toString(), textIsBinary]).to.deep.equal(['grüezi', false])
    const bytes = randomBytesOf(3_000_000, 1)
    client.send(bytes)
    const [binary, isBinary] = (await once(client, 'message')) as [Buffer, boolean]
    expect(isBinary).to.equal(true)
    expect(binary.equals(bytes)).to.equal(true)
  })

  it('broadcasts to all who are there', async () => {
    const [a, b] = [await open('/broadcast'), await open('/broadcast')]
    const heard = [once(a, 'message'), once(b, 'message')]
    a.send('news')
    const texts = (await Promise.all(heard)).map(([data]) => String(data))
    expect(texts).to.deep.equal(['news', 'news'])
  })

  it('closes with a code and a reason', async () => {
    const client = dial('/close?code=4001&reason=enough')
    const [code, reason] = (await once(client, 'close')) as [number, Buffer]
    expect([code, reason.toString()]).to.deep.equal([4001, 'enough'])
  })

  it('refuses an upgrade with an ordinary response', async () => {
    const client = dial('/refuse?status=418')
    const [, response] = (await once(client, 'unexpected-response')) as [unknown, IncomingMessage]
    expect(response.statusCode).to.equal(418)
    expect(response.headers['x-backend']).to.equal('websocket-1')
    expect(String(Buffer.concat((await response.toArray()) as Buffer[]))).to.equal('refused with 418\n')
  })

  it('breaks off after the 101', async () => {
    const client = dial('/reset')
    client.on('error', () => undefined)
    const [code] = (await once(client, 'close')) as [number]
    expect(code).to.equal(1006)
  })

  it('never answers on /hang, and sees its client leave', async () => {
    const client = dial('/hang')
    client.on('error', () => undefined)
    await eventually(() => backend.stats().running === 1)
    client.terminate()
    await eventually(() => backend.stats().running === 0)
  })

  it('chooses the first subprotocol offered', async () => {
    expect((await open('/', ['chat.v2', 'chat.v1'])).protocol).to.equal('chat.v2')
  })

  it('tells the most that were open at once', async () => {
    const [a] = [await open('/'), await open('/')]
    a.close()
    await eventually(() => backend.stats().running === 1)
    const [response] = (await once(get({ ...backend.address, path: '/max' }), 'response')) as [IncomingMessage]
    const stats: unknown = JSON.parse(String(Buffer.concat((await response.toArray()) as Buffer[])))
    expect(stats).to.deep.equal({ running: 1, max: 2, total: 2, aborted: 0 })
  })

  it('answers a plain request with 426', async () => {
    const response = await fetch(`http://127.0.0.1:${backend.address.port}/`)
    expect(response.status).to.equal(426)
    expect(response.headers.get('upgrade')).to.equal('websocket')
  })
})
