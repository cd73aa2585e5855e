import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type BindAddress, formatAddress } from '@sluice/core'
import { bindFailure } from '../bind-failure.ts'
import type { Proxy } from '../proxy.ts'
import { removeStaleSocket } from '../stale-socket.ts'
import { StartError } from '../start-error.ts'
import { Guard } from './guard.ts'
import { Metrics } from './metrics.ts'

// What is asked here is small and comes from this machine, so its bounds are narrow.
const maxHeadBytes = 8_192
const maxBodyBytes = 65_536
const maxConnections = 256
const requestTimeoutMs = 10_000
const keepAliveTimeoutMs = 5_000

/** One answer: JSON when the body is an object, else plain text. */
interface Reply {
  readonly status: number
  readonly body: string | object
  readonly type?: string
}

interface Resource {
  readonly what: string
  readonly GET?: () => Reply | Promise<Reply>
  readonly POST?: () => Reply
}

/**
 * Health, state, metrics and control, over HTTP on this machine alone. Not on the data path: plain node:http.
 *
 * It answers from before the first listener is bound until after the last exchange has ended.
 */
export class AdminServer {
  readonly #guard: Guard
  readonly #metrics: Metrics
  readonly #servers: Server[] = []
  readonly #resources: Readonly<Record<string, Resource>>

  constructor(proxy: Proxy, binds: readonly BindAddress[]) {
    this.#guard = new Guard(binds)
    const metrics = new Metrics(proxy)
    this.#metrics = metrics
    this.#resources = {
      '/healthz': { what: '200 while the process is alive', GET: () => ({ status: 200, body: 'ok\n' }) },
      '/readyz': { what: '200 while it takes work, 503 before and from the drain on', GET: () => readiness(proxy) },
      '/state': {
        what: 'listeners, routes, gates, upstreams and endpoints, as JSON',
        GET: () => ({ status: 200, body: proxy.stats() }),
      },
      '/metrics': {
        what: 'figures for Prometheus',
        GET: async () => ({ status: 200, body: await metrics.text(), type: metrics.contentType }),
      },
      '/drain': {
        what: 'POST: stops accepting, serves what is under way, and ends (content-type: application/json)',
        POST: () => {
          // Answered first: the drain ends with this server.
          setImmediate(() => void proxy.drain())
          return { status: 202, body: { state: 'draining' } }
        },
      },
    }
  }

  /** Binds every address; resolves with the first, which has the port that was chosen for port 0. */
  async listen(binds: readonly BindAddress[]): Promise<BindAddress> {
    const bound: BindAddress[] = []
    for (const bind of binds) bound.push(await this.#bind(bind))
    return bound[0]!
  }

  async #bind(bind: BindAddress): Promise<BindAddress> {
    const server = createServer(
      {
        maxHeaderSize: maxHeadBytes,
        headersTimeout: requestTimeoutMs,
        requestTimeout: requestTimeoutMs,
        keepAliveTimeout: keepAliveTimeoutMs,
        connectionsCheckingInterval: requestTimeoutMs / 2,
      },
      (request, response) => void this.#serve(request, response),
    )
    server.maxConnections = maxConnections
    this.#servers.push(server)
    try {
      await removeStaleSocket(bind)
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen(bind, resolve)
      })
    } catch (error) {
      throw new StartError(`admin.bind: ${formatAddress(bind)} ${bindFailure(error)}`, 1, ['admin', 'bind'])
    }
    const address = server.address()
    return address === null || typeof address === 'string' ? bind : { host: address.address, port: address.port }
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let reply: Reply
    try {
      reply = await this.#reply(request)
    } catch (error) {
      reply = { status: 500, body: { error: String(error) } }
    }
    const { status, body } = reply
    const text = typeof body === 'string' ? body : `${JSON.stringify(body, undefined, 2)}\n`
    response.writeHead(status, {
      'content-type': reply.type ?? (typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/json'),
      'content-length': Buffer.byteLength(text),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      ...(status === 405 ? { allow: this.#allowed(request) } : {}),
      // A body that was not read is no reason to keep the connection.
      ...(request.complete ? {} : { connection: 'close' }),
    })
    response.end(request.method === 'HEAD' ? '' : text)
  }

  async #reply(request: IncomingMessage): Promise<Reply> {
    const refusal = this.#guard.refusal(request)
    if (refusal !== undefined) return { status: refusal.status, body: { error: refusal.error } }
    const path = pathOf(request)
    if (path === '/') return this.#index(request)
    const resource = Object.hasOwn(this.#resources, path) ? this.#resources[path] : undefined
    if (resource === undefined) return { status: 404, body: { error: `there is no \`${path}\` here; \`/\` lists all` } }
    const { method } = request
    if ((method === 'GET' || method === 'HEAD') && resource.GET !== undefined) return await resource.GET()
    if (method !== 'POST' || resource.POST === undefined) return notAllowed(request, path)
    if (!(await readToEnd(request))) return { status: 413, body: { error: `the body is over ${maxBodyBytes} bytes` } }
    return resource.POST()
  }

  #index(request: IncomingMessage): Reply {
    if (request.method !== 'GET' && request.method !== 'HEAD') return notAllowed(request, '/')
    const lines = Object.entries(this.#resources).map(([path, { what }]) => `${path.padEnd(10)} ${what}`)
    return { status: 200, body: `Sluice\n\n${lines.join('\n')}\n` }
  }

  #allowed(request: IncomingMessage): string {
    return this.#resources[pathOf(request)]?.POST === undefined ? 'GET, HEAD' : 'POST'
  }

  /** Ends it; answers under way get a moment to leave. */
  async close(): Promise<void> {
    await Promise.all(
      this.#servers.map(
        (server) =>
          new Promise<void>((resolve) => {
            if (!server.listening) return resolve()
            server.close(() => resolve())
            server.closeIdleConnections()
            setTimeout(() => server.closeAllConnections(), 500).unref()
          }),
      ),
    )
    this.#metrics.close()
  }
}

function readiness(proxy: Proxy): Reply {
  const { state } = proxy
  return { status: state === 'listening' ? 200 : 503, body: `${state}\n` }
}

const notAllowed = ({ method }: IncomingMessage, path: string): Reply => ({
  status: 405,
  body: { error: `${method} is not for \`${path}\`` },
})

const pathOf = ({ url = '/' }: IncomingMessage): string => url.split('?', 1)[0]!

/** Reads the body and forgets it; false when it is too long. */
async function readToEnd(request: IncomingMessage): Promise<boolean> {
  let length = 0
  for await (const chunk of request) {
    length += (chunk as Buffer).length
    if (length > maxBodyBytes) return false
  }
  return true
}
