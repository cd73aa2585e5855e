import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type BindAddress, formatAddress } from '@sluice/core'
import { bindFailure } from '../bind-failure.ts'
import type { Proxy } from '../proxy.ts'
import { removeStaleSocket } from '../stale-socket.ts'
import { StartError } from '../start-error.ts'
import { Guard } from './guard.ts'
import { Metrics } from './metrics.ts'
import { allowed, type Method, type Reply, type Resource, resourceAt } from './resource.ts'
import { resourcesOf } from './resources.ts'

// What is asked here is small and comes from this machine, so its bounds are narrow.
const maxHeadBytes = 8_192
const maxBodyBytes = 65_536
const maxConnections = 256
const requestTimeoutMs = 10_000
const keepAliveTimeoutMs = 5_000

/**
 * Health, state, metrics and control, over HTTP on this machine alone. Not on the data path: plain node:http.
 *
 * It answers from before the first listener is bound until after the last exchange has ended.
 */
export class AdminServer {
  readonly #guard: Guard
  readonly #metrics: Metrics
  readonly #servers: Server[] = []
  readonly #resources: readonly Resource[]

  constructor(proxy: Proxy, binds: readonly BindAddress[]) {
    this.#guard = new Guard(binds)
    const metrics = new Metrics(proxy)
    this.#metrics = metrics
    this.#resources = resourcesOf(proxy, metrics)
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
      ...(reply.allow === undefined ? {} : { allow: reply.allow }),
      // A body that was not read is no reason to keep the connection.
      ...(request.complete ? {} : { connection: 'close' }),
    })
    response.end(request.method === 'HEAD' ? '' : text)
  }

  async #reply(request: IncomingMessage): Promise<Reply> {
    const refusal = this.#guard.refusal(request)
    if (refusal !== undefined) return { status: refusal.status, body: { error: refusal.error } }
    const path = (request.url ?? '/').split('?', 1)[0]!
    const found = resourceAt([this.#index, ...this.#resources], path)
    if (found === undefined) return { status: 404, body: { error: `there is no \`${path}\` here; \`/\` lists all` } }
    const { resource, name } = found
    const method = request.method === 'HEAD' ? 'GET' : request.method
    const answer = resource.methods[method as Method]
    if (answer === undefined) {
      const error = `${request.method} is not for \`${path}\``
      return { status: 405, body: { error }, allow: allowed(resource) }
    }
    if (method === 'GET') return await answer({ name, body: undefined })
    const text = await readToEnd(request)
    if (text === undefined) return { status: 413, body: { error: `the body is over ${maxBodyBytes} bytes` } }
    if (resource.takesBody !== true) return await answer({ name, body: undefined })
    const json = parsed(text)
    return 'problem' in json ? { status: 400, body: { error: json.problem } } : await answer({ name, body: json.body })
  }

  get #index(): Resource {
    const rows = this.#resources.map((resource) => {
      const { path, what, methods } = resource
      return `${Object.keys(methods).join(' ').padEnd(5)} ${path.replace('*', path.startsWith('/gates') ? 'ID' : 'NAME').padEnd(25)} ${what}`
    })
    const note = 'What is not GET needs content-type: application/json.'
    return {
      path: '/',
      what: 'this list',
      methods: { GET: () => ({ status: 200, body: `Sluice\n\n${rows.join('\n')}\n\n${note}\n` }) },
    }
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

/** Reads the body; undefined when it is too long. */
async function readToEnd(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request) {
    chunks.push(chunk as Buffer)
    length += (chunk as Buffer).length
    if (length > maxBodyBytes) return undefined
  }
  return String(Buffer.concat(chunks))
}

function parsed(text: string): { readonly body: unknown } | { readonly problem: string } {
  try {
    return { body: JSON.parse(text) }
  } catch (error) {
    return { problem: `the body is not JSON: ${(error as Error).message}` }
  }
}
