import type { Address, Backend } from './backend.ts'
import { startGrpcBackend } from './grpc.ts'
import { startHttpBackend } from './http.ts'
import { startHttp2Backend } from './http2.ts'
import { type BackendKind, type BackendName, type BackendPlan, plans } from './names.ts'
import { startTcpBackend } from './tcp.ts'
import type { BackendStats } from './tally.ts'
import type { TcpBehaviour } from './tcp-behaviours.ts'
import { startWebSocketBackend } from './websocket.ts'

/** Which backends to start, and where. */
export interface StartBackendsOptions {
  /**
   * `'default'`: the twelve that have a port of their own, on 3001–3012. `0`: all fourteen, each on a free
   * port. An object: those that it names, and no others. Default: `'default'`.
   */
  readonly ports?: 'default' | 0 | Readonly<Partial<Record<BackendName, number>>>
  /** Default: `127.0.0.1`. */
  readonly host?: string
}

/** One running backend as a line of a table to print. */
export interface BackendRow {
  readonly name: BackendName
  readonly kind: BackendKind
  readonly address: Address
  readonly what: string
  /** One line to try it with. */
  readonly tryIt: string
}

/** The running test backends. */
export interface Backends {
  readonly all: readonly Backend[]
  readonly table: readonly BackendRow[]
  /** The backend of that name; throws when it was not started. */
  get(name: BackendName): Backend
  /** The counts of all, by name. */
  stats(): Readonly<Record<string, BackendStats>>
  resetStats(): void
  /** Ends everything at once; resolves when all ports and sockets are gone. */
  close(): Promise<void>
}

/** A backend could not be bound; the message is one sentence for people. */
export class BackendStartError extends Error {}

/** Starts the test backends. When one cannot be bound, none is left running. */
export async function startBackends(options: StartBackendsOptions = {}): Promise<Backends> {
  const host = options.host ?? '127.0.0.1'
  const running = new Map<string, Backend>()
  const table: BackendRow[] = []
  try {
    for (const [plan, port] of chosen(options.ports ?? 'default')) {
      const backend = await start(plan, host, port, running)
      running.set(plan.name, backend)
      const { name, kind, what } = plan
      table.push({
        name,
        kind,
        what,
        address: backend.address,
        tryIt: plan.tryIt(reachable(host), backend.address.port),
      })
    }
  } catch (error) {
    await Promise.all([...running.values()].map((one) => one.close()))
    throw error
  }
  return {
    all: [...running.values()],
    table,
    get(name) {
      const backend = running.get(name)
      if (backend === undefined) throw new Error(`backend '${name}' was not started`)
      return backend
    },
    stats: () => Object.fromEntries([...running].map(([name, one]) => [name, one.stats()])),
    resetStats: () => {
      for (const one of running.values()) one.resetStats()
    },
    close: async () => {
      await Promise.all([...running.values()].map((one) => one.close()))
    },
  }
}

function chosen(ports: NonNullable<StartBackendsOptions['ports']>): [BackendPlan, number][] {
  if (ports === 0) return plans.map((plan) => [plan, 0])
  if (ports === 'default') return plans.filter((plan) => plan.port !== 0).map((plan) => [plan, plan.port])
  const some: [BackendPlan, number][] = []
  for (const plan of plans) {
    const port = ports[plan.name]
    if (port !== undefined) some.push([plan, port])
  }
  return some
}

async function start(
  { name, kind }: BackendPlan,
  host: string,
  port: number,
  running: ReadonlyMap<string, Backend>,
): Promise<Backend> {
  const neighbours = (): ReadonlyMap<string, Backend> => running
  try {
    switch (kind) {
      case 'http':
        return await startHttpBackend({ name, host, port, neighbours })
      case 'websocket':
        return await startWebSocketBackend({ name, host, port, neighbours })
      case 'grpc':
        return await startGrpcBackend({ name, host, port })
      case 'http2':
        return await startHttp2Backend({ name, host, port, neighbours })
      case 'tcp':
        return await startTcpBackend({ name, host, port, behaviour: name.slice('tcp-'.length) as TcpBehaviour })
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const why = code === 'EADDRINUSE' ? 'the port is in use' : error instanceof Error ? error.message : String(error)
    throw new BackendStartError(`backend ${name} cannot listen on ${host}:${port}: ${why}`, { cause: error })
  }
}

/** An address that a client on this machine can use. */
function reachable(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1'
  return host.includes(':') ? `[${host}]` : host
}
