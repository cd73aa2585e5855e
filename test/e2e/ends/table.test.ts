import { once } from 'node:events'
import { expect } from 'chai'
import {
  type Deferred,
  deferred,
  eventually,
  type RawClient,
  type RawConnection,
  RawServer,
} from '../../../packages/testkit/src/raw/index.ts'
import { scale, scaled } from '../../../packages/testkit/src/scale.ts'
import { Authority } from '../support/certificates.ts'
import { HangingServer } from '../support/hanging-server.ts'
import { Stage } from '../support/stage.ts'
import { type Beyond, type ClientState, type Driver, gates, type Leave, type UpstreamEnd } from './driver.ts'
import { grpc } from './grpc.ts'
import { http1 } from './http1.ts'
import { http1To2, http2To1, http2To2 } from './http2.ts'
import { tcp } from './tcp.ts'
import { websocket } from './websocket.ts'

/** The columns; a protocol that comes later adds its driver here. */
const drivers: readonly Driver[] = [false, true].flatMap((secure) => [
  http1({ secure }),
  // Under TLS nothing is different from the columns beside them but the other half, which they have in common.
  ...(secure && scale() !== 'soak' ? [] : [http1To2({ secure }), http2To1({ secure })]),
  http2To2({ secure }),
  grpc({ secure }),
  tcp({ secure }),
  websocket({ secure }),
])

const leaves: readonly Leave[] = ['fin', 'rst', 'reset']
const connectTimeout = '300ms'
/** Nobody listens there, and nobody is given it by chance, as a port that was just closed is. */
const refusing = { port: 1 }
const soon = { limit: 1, queue: 4, timeout: '5s' }

describe('the table of ends', () => {
  let hanging: HangingServer
  let authority: Authority
  let tls: { cert: string; key: string }

  before(async () => {
    hanging = await HangingServer.start()
    authority = new Authority()
    const { certFile, keyFile } = authority.issue('listener')
    tls = { cert: certFile, key: keyFile }
  })

  after(async () => {
    await hanging.close()
    authority.remove()
  })

  // One thread is what two are, without neighbours: it can wait for the longer runs.
  for (const threads of scaled({ test: [0, 2], ci: [0, 2], soak: [0, 1, 2] })) {
    describe(`with threads ${threads}`, () => {
      let cells = 0
      after(() => console.log(`    the table of ends, threads ${threads}: ${cells} cells`))

      // Under TLS threads add nothing that they do not add in the clear.
      const here = drivers.filter(
        ({ secure, alpn }) => !secure || alpn === undefined || threads === 0 || scale() === 'soak',
      )
      for (const driver of here) {
        describe(`${driver.name}: the client leaves`, () => {
          const columns = driver.clientStates.flatMap((state) =>
            leaves.filter((leave) => leave in state.reason).map((leave) => [state, leave] as const),
          )
          cells += columns.length
          let stage: Stage
          let upstream: RawServer
          const seen = new Map<string, RawConnection>()
          let count = 0

          before(async () => {
            upstream = await RawServer.start(driver.script((id, connection) => seen.set(id, connection)))
            stage = await startClientEnds(driver, { threads, upstream, hanging, tls })
          })

          after(async () => {
            await stage.close()
            await upstream.close()
          })

          for (const [state, leave] of columns) {
            it(`by ${leave.toUpperCase()}, ${state.name}`, async () => {
              await runClientEnd(driver, state, leave, { stage, upstream, seen, id: `${driver.protocol}${count++}` })
            })
          }
        })

        if (driver.upstreamEnds.length === 0) continue
        describe(`${driver.name}: the upstream`, () => {
          cells += driver.upstreamEnds.length
          let ends: UpstreamEnds

          before(async () => {
            ends = await UpstreamEnds.start(driver, threads, hanging)
          })

          after(async () => {
            await ends.close()
          })

          for (const end of driver.upstreamEnds) {
            it(end.name, async () => ends.run(end))
          }
        })
      }
    })
  }
})

interface ClientEndsOn {
  readonly threads: number
  readonly upstream: RawServer
  readonly hanging: HangingServer
  readonly tls: { readonly cert: string; readonly key: string }
}

function startClientEnds(driver: Driver, { threads, upstream, hanging, tls }: ClientEndsOn): Promise<Stage> {
  const listener = {
    bind: '127.0.0.1:0',
    protocol: driver.protocol,
    ...(driver.secure ? { tls } : {}),
    gate: { limit: 4, queue: 4 },
  }
  const way = (up: string) =>
    driver.protocol === 'tcp' ? { upstream: up } : { routes: [{ name: 'r', upstream: up, gate: { limit: 3 } }] }
  return Stage.start({
    threads,
    listeners: { free: { ...listener, ...way('up') }, hanging: { ...listener, ...way('hang') } },
    upstreams: {
      up: { endpoints: [`127.0.0.1:${upstream.port}`], gate: soon, ...spoken(driver) },
      hang: {
        endpoints: [`127.0.0.1:${hanging.port}`],
        gate: soon,
        timeouts: { connect: connectTimeout },
        ...spoken(driver),
      },
    },
  })
}

const spoken = ({ upstreamIsHttp2 }: Driver) => (upstreamIsHttp2 === true ? { protocol: 'http2' } : {})

interface ClientEndOn {
  readonly stage: Stage
  readonly upstream: RawServer
  readonly seen: ReadonlyMap<string, RawConnection>
  readonly id: string
}

async function runClientEnd(driver: Driver, state: ClientState, leave: Leave, on: ClientEndOn): Promise<void> {
  const { stage, upstream, seen, id } = on
  const alpn = driver.alpn === undefined ? {} : { ALPNProtocols: [driver.alpn] }
  const tls = driver.secure ? { tls: { rejectUnauthorized: false, ...alpn } } : {}
  const before = stage.accounts.length
  const served = async (name: string): Promise<RawConnection> =>
    (await eventually(() => seen.get(name), { what: `${name} at the upstream` }))!
  const holder = state.way === 'shut' ? await stage.client('free', tls) : undefined
  if (holder !== undefined) {
    await driver.hold(holder, `${id}holder`)
    await served(`${id}holder`)
  }
  const client = await stage.client(state.way === 'hanging' ? 'hanging' : 'free', tls)
  const ticket = driver.secure ? once(client.socket, 'session') : undefined
  const cell = { stage, upstream, client, id, served: () => served(id) }
  await state.reach(cell)
  // Without a byte exchanged a reset under TLS meets the session ticket on its way, and is taken for an end.
  await ticket

  // A FIN leaves behind what was written, which may be more than the buffers on the way hold: not before `after`, then.
  const left = leave === 'rst' ? client.rst() : leave === 'fin' ? client.fin() : driver.resetStream!(client)
  await state.after?.(cell)
  await Promise.race([left, client.closed])

  if (holder !== undefined) {
    await stage.atGate(gates.upstream, { waiting: 0 })
    await eventually(() => stage.stats.exchanges === 1, { what: 'the holder alone' })
    expect(stage.gate(gates.upstream).running).to.equal(1)
    expect(seen.has(id), 'reached the upstream').to.equal(false)
    holder.rst()
  }
  if (leave === 'reset') {
    await eventually(() => stage.stats.exchanges === 0, { what: 'no exchange left' })
    // Its connection lives on: alone, or beside the holder's until the reset of that is seen.
    await eventually(() => stage.stats.listeners.reduce((sum, one) => sum + one.connections, 0) === 1)
    await client.close()
  } else if (leave === 'fin') {
    client.resume()
    await client.ended
    await client.close()
  }
  await stage.settled()
  // The upstream holds exactly what the pool does.
  const idle = () => stage.stats.upstreams[0]!.endpoints[0]!.connections.idle
  await eventually(() => upstream.open === idle(), { what: 'no connection left at the upstream' })
  expect(seen.has(id), 'reached the upstream').to.equal(state.reaches)
  if (driver.upstreamIsHttp2 === true && state.reaches) {
    expect(seen.get(id)!.socket.destroyed, 'the session that carried it is gone').to.equal(false)
  }
  const expected = state.reason[leave] === undefined ? [] : [state.reason[leave]]
  // The holder was dropped by RST as well.
  if (holder !== undefined) expected.push('clientGone')
  await eventually(() => stage.accounts.length - before >= expected.length, { what: `accounts of ${id}` })
  const reasons = stage.accounts.slice(before).map((account) => account.reason)
  expect(reasons.toSorted()).to.deep.equal(expected.toSorted())
}

/** One proxy with a listener and an upstream of its own for each end. */
class UpstreamEnds {
  readonly #stage: Stage
  readonly #driver: Driver
  readonly #upstreams: ReadonlyMap<UpstreamEnd, RawServer>
  /** The client of each end: it comes before the unit that the upstream sees. */
  readonly #clients: ReadonlyMap<UpstreamEnd, Deferred<RawClient>>
  readonly #names: ReadonlyMap<UpstreamEnd, string>

  private constructor(driver: Driver, parts: UpstreamEndsParts) {
    this.#driver = driver
    this.#stage = parts.stage
    this.#upstreams = parts.upstreams
    this.#clients = parts.clients
    this.#names = parts.names
  }

  static async start(driver: Driver, threads: number, hanging: HangingServer): Promise<UpstreamEnds> {
    const upstreams = new Map<UpstreamEnd, RawServer>()
    const clients = new Map(driver.upstreamEnds.map((end) => [end, deferred<RawClient>()]))
    const names = new Map(driver.upstreamEnds.map((end, i) => [end, `end${i}`]))
    let ends: UpstreamEnds
    for (const end of driver.upstreamEnds) {
      const { script } = end
      if (script === 'hangs' || script === 'refuses') continue
      const upstream = await RawServer.start(
        async (one) => script(one, ends.#beyond(end, await clients.get(end)!.promise)),
        // A kept connection is read from to the end of the column.
        { timeoutMs: 120_000 },
      )
      upstreams.set(end, upstream)
    }
    // Short only where they are to pass: threads may be slow to get their turn.
    const timeouts = ({ reason }: UpstreamEnd) => ({
      connect: reason === 'connectTimeout' ? connectTimeout : '5s',
      response: reason === 'responseTimeout' ? '200ms' : '5s',
      idle: reason === 'idleTimeout' ? '200ms' : '5s',
    })
    const entries = (make: (end: UpstreamEnd, name: string) => unknown) =>
      Object.fromEntries([...names].map(([end, name]) => [name, make(end, name)]))
    const stage = await Stage.start({
      threads,
      listeners: entries((_, name) => ({
        bind: '127.0.0.1:0',
        protocol: driver.protocol,
        upstream: name,
        gate: { limit: 2 },
      })),
      upstreams: entries((end) => {
        const { port } = end.script === 'refuses' ? refusing : (upstreams.get(end) ?? hanging)
        return {
          endpoints: [`127.0.0.1:${port}`],
          gate: soon,
          timeouts: timeouts(end),
          // Whether a connection is kept is looked at in its own time, on however busy a machine.
          pool: { idleTimeout: '60s' },
          retries: { max: 0 },
          ...spoken(driver),
        }
      }),
    })
    ends = new UpstreamEnds(driver, { stage, upstreams, clients, names })
    return ends
  }

  #beyond(end: UpstreamEnd, client: RawClient): Beyond {
    const stage = this.#stage
    const upstream = this.#driver.upstreamEnds.indexOf(end)
    return {
      stage,
      clientBytes: () => client.socket.bytesRead,
      clientHasBytes: async (since = 0) => {
        await eventually(() => client.socket.bytesRead > since, { what: 'bytes at the client' })
      },
      connections: () => stage.stats.upstreams[upstream]!.endpoints[0]!.connections,
    }
  }

  async run(end: UpstreamEnd): Promise<void> {
    const stage = this.#stage
    const name = this.#names.get(end)!
    const client = await stage.client(name)
    this.#clients.get(end)!.resolve(client)
    try {
      await end.expects(client, this.#beyond(end, client))
      const account = await eventually(() => stage.accounts.find(({ listener }) => listener === name))
      expect([end.reason].flat()).to.include(account.reason)
    } finally {
      await client.close()
    }
    await stage.settled()
  }

  async close(): Promise<void> {
    await this.#stage.close()
    for (const upstream of this.#upstreams.values()) await upstream.close()
  }
}

interface UpstreamEndsParts {
  readonly stage: Stage
  readonly upstreams: ReadonlyMap<UpstreamEnd, RawServer>
  readonly clients: ReadonlyMap<UpstreamEnd, Deferred<RawClient>>
  readonly names: ReadonlyMap<UpstreamEnd, string>
}
