import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import {
  type Backend,
  type GrpcBackend,
  startGrpcBackend,
  startHttp2Backend,
} from '../../../packages/backends/src/index.ts'
import {
  dataFrame,
  h2,
  headersFrame,
  RawHttp2,
  requestFields,
  rstFrame,
  windowUpdateFrame,
} from '../../../packages/testkit/src/http2/index.ts'
import {
  ConnectionEnded,
  eventually,
  RawClient,
  type RawConnection,
  RawServer,
} from '../../../packages/testkit/src/raw/index.ts'
import { scaled } from '../../../packages/testkit/src/scale.ts'
import { ask, get, response } from '../support/ask.ts'
import { Stage } from '../support/stage.ts'
import { HonestClients } from './honest.ts'
import { SluiceProcess } from './sluice-process.ts'
import { type UpstreamAttack, upstreamAttacks } from './upstream-attacks.ts'

const durationMs = scaled({ test: 100, ci: 300, soak: 30_000 })
const mebibyte = 1_048_576
/** A window that no answer here fills. */
const ample = 16 * mebibyte

/** A server that attacks whoever calls it, on each connection anew. */
class HostileServer {
  attack!: UpstreamAttack
  readonly server: RawServer

  private constructor(server: RawServer) {
    this.server = server
  }

  static async start(): Promise<HostileServer> {
    const script: { run?: (connection: RawConnection) => Promise<void> } = {}
    const server = await RawServer.start((connection) => script.run!(connection))
    const one = new HostileServer(server)
    script.run = (connection) => one.#serve(connection)
    return one
  }

  async #serve(connection: RawConnection): Promise<void> {
    const { attack } = this
    void connection.ended.then(() => connection.close())
    if (attack.speaks === false) return
    try {
      const peer = await RawHttp2.accept(connection)
      let victim = 0
      for (;;) {
        const { type, id } = await peer.next()
        if (type === h2.headers && !(attack.once === true && victim !== 0)) {
          victim = id
          if (attack.begins !== undefined) await peer.send(attack.begins(id))
          void goOn(id)
        } else if (type === h2.rstStream && id === victim && attack.once !== true) victim = 0
      }
      async function goOn(id: number): Promise<void> {
        while (attack.goesOn !== undefined && victim === id && !connection.socket.destroyed) {
          await Promise.race([peer.send(attack.goesOn(id)), connection.closed])
          await pause(1)
        }
      }
    } catch (error) {
      if (!(error instanceof ConnectionEnded)) throw error
    }
  }

  /** Ends what the last attack has left. */
  async disconnect(): Promise<void> {
    await Promise.all(this.server.connections.map((one) => one.close()))
  }
}

for (const threads of scaled({ test: [0], ci: [0], soak: [0, 2] })) {
  describe(`HTTP/2 upstreams that attack, threads ${threads}`, function () {
    this.timeout(120_000)
    let http: Backend
    let grpc: GrpcBackend
    let hostile: HostileServer
    let sluice: SluiceProcess

    before(async () => {
      http = await startHttp2Backend()
      grpc = await startGrpcBackend()
      hostile = await HostileServer.start()
      sluice = await SluiceProcess.start({
        threads,
        listeners: {
          web: {
            bind: '127.0.0.1:0',
            protocol: 'http',
            routes: [{ match: { path: '/hostile' }, upstream: 'hostile' }, { upstream: 'http' }],
          },
          rpc: {
            bind: '127.0.0.1:0',
            protocol: 'grpc',
            routes: [{ match: { service: 'hostile.Service' }, upstream: 'hostile' }, { upstream: 'grpc' }],
          },
        },
        upstreams: {
          http: { endpoints: [`h2c://127.0.0.1:${http.address.port}`] },
          grpc: { endpoints: [`grpc://127.0.0.1:${grpc.address.port}`] },
          hostile: {
            endpoints: [`h2c://127.0.0.1:${hostile.server.port}`],
            timeouts: { connect: '500ms', response: '500ms', idle: '500ms' },
          },
        },
      })
    })

    after(async () => {
      const last = await sluice.close()
      await hostile.server.close()
      await http.close()
      await grpc.close()
      expect([...last.residue, ...last.faults]).to.deep.equal([])
      expect(last.timers, 'timers').to.equal(0)
    })

    afterEach(() => hostile.disconnect())

    async function callHttp(): Promise<string> {
      const client = await RawClient.connect(sluice.port('web'))
      try {
        let { status, headers } = await ask(client, get('/hostile'))
        while (status < 200) ({ status, headers } = await response(client))
        return `${status} ${headers.find(([name]) => name.toLowerCase() === 'x-sluice-reason')?.[1]}`
      } catch (error) {
        if (error instanceof ConnectionEnded) return 'cut'
        throw error
      } finally {
        await client.close()
      }
    }

    async function callGrpc(): Promise<number> {
      const peer = await RawHttp2.connect(sluice.port('rpc'), { settings: [[4, ample]] })
      await peer.send(windowUpdateFrame(0, ample))
      const fields = requestFields('/hostile.Service/Method', 'POST', [
        ['content-type', 'application/grpc'],
        ['te', 'trailers'],
      ])
      await peer.send(headersFrame(1, fields, h2.endHeaders), dataFrame(1, '\0\0\0\0\0', { end: true }))
      const message = await peer.message(1)
      await peer.close()
      return Number([...message.fields, ...message.trailers].find(([name]) => name === 'grpc-status')?.[1] ?? -1)
    }

    for (const attack of upstreamAttacks) {
      it(`by ${attack.what}: ${attack.http}, grpc-status ${attack.grpc}`, async () => {
        hostile.attack = attack
        const { rssBytes } = await sluice.sample()
        const honest = new HonestClients({ web: sluice.port('web'), rpc: sluice.port('rpc') })
        const until = performance.now() + durationMs
        const got = new Set<string>()
        let calls = 0
        try {
          do {
            got.add(`${await callHttp()}, ${await callGrpc()}`)
            calls += 2
          } while (performance.now() < until)
        } finally {
          await honest.stop()
        }
        const grown = (await sluice.sample()).rssBytes - rssBytes
        console.log(
          `      ${calls} calls, ${honest.calls} honest ones, ${Math.round(honest.longestMs)} ms at most; ` +
            `${Math.round(grown / mebibyte)} MiB more`,
        )
        expect([...got]).to.deep.equal([`${attack.http}, ${attack.grpc}`])
        expect(honest.failures).to.deep.equal([])
        expect(honest.calls).to.be.greaterThan(3)
        expect(grown).to.be.below(64 * mebibyte)
      })
    }
  })
}

describe('an upstream connection of HTTP/2 on which many streams were cut', () => {
  it('is left by new ones, as upstreams bound resets (CVE-2023-44487), and serves what it has', async () => {
    const server = await RawServer.start()
    const upstream = `h2c://127.0.0.1:${server.port}`
    const stage = await Stage.start({ listeners: { web: { bind: '127.0.0.1:0', protocol: 'http', upstream } } })
    const client = await RawHttp2.connect(stage.port('web'))
    await client.send(headersFrame(1, requestFields('/first')))
    const first = await RawHttp2.accept(await server.accept())
    const { id } = await first.next({ type: h2.headers })
    for (let i = 0; i < 200; i++) {
      const cut = 2 * i + 3
      await client.send(headersFrame(cut, requestFields()))
      const { id: there } = await first.next({ type: h2.headers })
      await client.send(rstFrame(cut, 8))
      await first.next({ type: h2.rstStream, id: there })
    }
    await client.send(headersFrame(1_001, requestFields('/after')))
    const second = await RawHttp2.accept(await server.accept())
    const { id: next } = await second.next({ type: h2.headers })
    await second.send(headersFrame(next, [[':status', '200']]))
    expect((await client.message(1_001)).status).to.equal(200)
    await first.send(headersFrame(id, [[':status', '204']]))
    expect((await client.message(1)).status).to.equal(204)
    expect((await first.ending()).code).to.equal(0)
    await first.close()
    await client.close()
    await eventually(() => stage.stats.exchanges === 0)
    await second.close()
    await stage.close()
    await server.close()
  })
})
