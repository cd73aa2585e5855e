import { connect, createServer } from 'node:net'
import { expect } from 'chai'
import { tryBind } from '../../src/engine/binds.ts'

/** What is found, and nobody holds any more. */
async function found(host: string, port: number): Promise<number> {
  const { address, release } = await tryBind(bindTo(host, port))
  await release()
  return (address as { port: number }).port
}

const bindTo = (host: string, port: number) => ({ listener: 'web', key: 'k', bind: { host, port } })

describe('tryBind', () => {
  it('finds a port that several threads can bind where any was asked for', async () => {
    const port = await found('127.0.0.1', 0)
    const servers = [createServer(), createServer()]
    for (const server of servers) {
      await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', port, reusePort: true }, resolve))
    }
    for (const server of servers) server.close()
  })

  it('sees a port in use, also one that others share, in whichever words its hosts are written', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', port: 0, reusePort: true }, resolve))
    const { port } = server.address() as { port: number }
    for (const host of ['127.0.0.1', '0.0.0.0', '']) {
      const error = await tryBind(bindTo(host, port)).catch((caught: unknown) => caught)
      expect((error as Error).message, host).to.match(/^listeners\.web\.bind: .* is in use/)
    }
    server.close()
  })

  it('gives no port twice while it is held', async () => {
    // As many as it takes for two of them to meet, by all chance, when each is let go at once.
    const tried = await Promise.all(Array.from({ length: 1_500 }, () => tryBind(bindTo('127.0.0.1', 0))))
    const ports = tried.map(({ address }) => (address as { port: number }).port)
    await Promise.all(tried.map(({ release }) => release()))
    expect(new Set(ports).size).to.equal(ports.length)
  })

  it('says that an address is none of this machine', async () => {
    const error = await tryBind(bindTo('192.0.2.1', 0)).catch((caught: unknown) => caught)
    expect((error as Error).message).to.equal('listeners.web.bind: 192.0.2.1:0 is no address of this machine')
  })

  it('accepts nobody: who waits for the port to be open finds it open only when it is served', async () => {
    const port = await found('127.0.0.1', 0)
    let trying = true
    let connected = 0
    const knocking = (async () => {
      while (trying) {
        await new Promise<void>((resolve) => {
          const socket = connect(port, '127.0.0.1')
          socket.once('connect', () => connected++)
          socket.once('error', () => resolve())
          socket.once('close', () => resolve())
        })
      }
    })()
    for (let i = 0; i < 100; i++) {
      await found('127.0.0.1', port)
      await new Promise((resolve) => setImmediate(resolve))
    }
    trying = false
    await knocking
    expect(connected).to.equal(0)
  })
})
