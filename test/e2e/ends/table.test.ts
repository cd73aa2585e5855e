import { expect } from 'chai'
import {
  deferred,
  eventually,
  type RawClient,
  type RawConnection,
  RawServer,
} from '../../../packages/testkit/src/raw/index.ts'
import { Authority } from '../support/certificates.ts'
import { HangingServer } from '../support/hanging-server.ts'
import { Stage } from '../support/stage.ts'
import { type ClientState, type Driver, gates, type Leave, type UpstreamEnd } from './driver.ts'
import { http1 } from './http1.ts'
import { tcp } from './tcp.ts'
import { websocket } from './websocket.ts'

/** The columns; a protocol that comes later adds its driver here. */
const drivers: readonly Driver[] = [false, true].flatMap((secure) => [
  http1({ secure }),
  tcp({ secure }),
  websocket({ secure }),
])

const leaves: readonly Leave[] = ['fin', 'rst']
const connectTimeout = '300ms'
const soon = { limit: 1, queue: 4, timeout: '5s' }

describe('the table of ends', () => {
  let hanging: HangingServer
  let authority: Authority
  let tls: { cert: string; key: string }
  let cells = 0

  before(async () => {
    hanging = await HangingServer.start()
    authority = new Authority()
    const { certFile, keyFile } = authority.issue('listener')
    tls = { cert: certFile, key: keyFile }
  })

  after(async () => {
    await hanging.close()
    authority.remove()
    console.log(`    the table of ends: ${cells} cells`)
  })

  for (const driver of drivers) {
    describe(`${driver.name}: the client leaves`, () => {
      const columns = driver.clientStates.flatMap((state) => leaves.map((leave) => [state, leave] as const))
      cells += columns.length
      let stage: Stage
      let upstream: RawServer
      const seen = new Map<string, RawConnection>()
      let count = 0

      before(async () => {
        upstream = await RawServer.start(driver.script((id, connection) => seen.set(id, connection)))
        const listener = {
          bind: '127.0.0.1:0',
          protocol: driver.protocol,
          ...(driver.secure ? { tls } : {}),
          gate: { limit: 4, queue: 4 },
        }
        const way = (up: string) =>
          driver.protocol === 'tcp' ? { upstream: up } : { routes: [{ name: 'r', upstream: up, gate: { limit: 3 } }] }
        stage = await Stage.start({
          listeners: { free: { ...listener, ...way('up') }, hanging: { ...listener, ...way('hang') } },
          upstreams: {
            up: { endpoints: [`127.0.0.1:${upstream.port}`], gate: soon },
            hang: { endpoints: [`127.0.0.1:${hanging.port}`], gate: soon, timeouts: { connect: connectTimeout } },
          },
        })
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
      for (const end of driver.upstreamEnds) {
        it(end.name, async () => runUpstreamEnd(driver, end, hanging))
      }
    })
  }
})

interface ClientEndOn {
  readonly stage: Stage
  readonly upstream: RawServer
  readonly seen: ReadonlyMap<string, RawConnection>
  readonly id: string
}

async function runClientEnd(driver: Driver, state: ClientState, leave: Leave, on: ClientEndOn): Promise<void> {
  const { stage, upstream, seen, id } = on
  const tls = driver.secure ? { tls: { rejectUnauthorized: false } } : {}
  const before = stage.accounts.length
  const served = async (name: string): Promise<RawConnection> =>
    (await eventually(() => seen.get(name), { what: `${name} at the upstream` }))!
  const holder = state.way === 'shut' ? await stage.client('free', tls) : undefined
  if (holder !== undefined) {
    await driver.hold(holder, `${id}holder`)
    await served(`${id}holder`)
  }
  const client = await stage.client(state.way === 'hanging' ? 'hanging' : 'free', tls)
  const cell = { stage, upstream, client, id, served: () => served(id) }
  await state.reach(cell)

  if (leave === 'rst') client.rst()
  else await Promise.race([client.fin(), client.closed])
  await state.after?.(cell)

  if (holder !== undefined) {
    await stage.atGate(gates.upstream, { waiting: 0 })
    expect(stage.gate(gates.upstream).running).to.equal(1)
    expect(seen.has(id), 'reached the upstream').to.equal(false)
    holder.rst()
  }
  if (leave === 'fin') {
    client.resume()
    await client.ended
    await client.close()
  }
  await stage.settled()
  // The upstream holds exactly what the pool does.
  const idle = () => stage.stats.upstreams[0]!.endpoints[0]!.connections.idle
  await eventually(() => upstream.open === idle(), { what: 'no connection left at the upstream' })
  expect(seen.has(id), 'reached the upstream').to.equal(state.reaches)
  const reasons = stage.accounts.slice(before).map((account) => account.reason)
  const expected = state.reason[leave] === undefined ? [] : [state.reason[leave]]
  // The holder was dropped by RST as well.
  expect(reasons.toSorted()).to.deep.equal([...expected, ...(holder === undefined ? [] : ['clientGone'])].toSorted())
}

async function runUpstreamEnd(driver: Driver, end: UpstreamEnd, hanging: HangingServer): Promise<void> {
  const { script } = end
  // The client comes before the unit that the upstream sees.
  const unit = deferred<{ client: RawClient; stage: Stage }>()
  const upstream = await RawServer.start(
    typeof script !== 'function'
      ? undefined
      : async (one) => {
          const { client, stage } = await unit.promise
          const clientHasBytes = async () => {
            await eventually(() => client.socket.bytesRead > 0, { what: 'bytes at the client' })
          }
          await script(one, { stage, clientHasBytes })
        },
  )
  if (script === 'refuses') await upstream.close()
  const port = script === 'hangs' ? hanging.port : upstream.port
  const timeouts = { connect: connectTimeout, response: '200ms', idle: '200ms' }
  const stage = await Stage.start({
    listeners: { free: { bind: '127.0.0.1:0', protocol: driver.protocol, upstream: 'up', gate: { limit: 2 } } },
    upstreams: { up: { endpoints: [`127.0.0.1:${port}`], gate: soon, timeouts, retries: { max: 0 } } },
  })
  try {
    const client = await stage.client('free')
    unit.resolve({ client, stage })
    await end.expects(client, stage)
    await eventually(() => stage.accounts.length > 0)
    expect([end.reason].flat()).to.include(stage.accounts[0]!.reason)
    await client.close()
    await stage.settled()
  } finally {
    await stage.close()
    if (end.script !== 'refuses') await upstream.close()
  }
}
