import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { type Backend, type BackendOptions, bind, type Neighbours, shut, trackSockets } from './backend.ts'
import { answers, echo } from './http-answers.ts'
import { type Answer, BadCall, Call } from './http-call.ts'
import { answerMax } from './max.ts'
import { Tally } from './tally.ts'

/** How an HTTP backend is started. */
export interface HttpBackendOptions extends BackendOptions {
  /** How long an idle connection stays open. Default: 60_000. */
  readonly keepAliveTimeoutMs?: number
  /** The backends that `/max?backend=` tells of. Default: this one alone. */
  readonly neighbours?: Neighbours
}

/** Starts an HTTP/1.1 backend; http-answers.ts and http-bodies.ts say what it can do. */
export async function startHttpBackend(options: HttpBackendOptions = {}): Promise<Backend> {
  const name = options.name ?? 'http'
  const tally = options.tally ?? new Tally()
  const departures = new WeakMap<Socket, Set<() => void>>()

  const handle = (req: IncomingMessage, res: ServerResponse, expectsContinue: boolean): void => {
    res.setHeader('x-backend', name)
    const call = new Call(req, res, expectsContinue)
    if (call.verb === 'max') {
      const { status, value } = answerMax(req.url ?? '', backend, options.neighbours)
      return call.json(value, status)
    }
    // Not counted: what Docker or a health check asks for on the side must not look like work let through a gate.
    if (call.verb === 'healthz') return call.line('ok')
    count(req, res, req.url?.includes('unit=') === true ? call.text('unit', '') : '')
    const answer = answers.get(call.verb) ?? echo
    void perform(call, answer)
  }

  // Not the response's 'close': it comes at the end of the turn, after requests that the departure made room for.
  const count = (req: IncomingMessage, res: ServerResponse, unit: string): void => {
    const leave = tally.enter()
    if (unit !== '') tally.name(unit, leave)
    const gone = (): void => leave({ byPeer: true, aborted: true })
    const onSocket = departures.get(req.socket)
    onSocket?.add(gone)
    res.once('finish', () => leave({ byPeer: false, aborted: false }))
    res.once('close', () => {
      onSocket?.delete(gone)
      leave({ byPeer: false, aborted: false })
    })
  }

  // The backend itself sets no bounds on time and hardly any on size: what is cut off, the proxy has cut off.
  const server = createServer({
    requestTimeout: 0,
    headersTimeout: 0,
    keepAliveTimeout: options.keepAliveTimeoutMs ?? 60_000,
    maxHeaderSize: 262_144,
  })
  server.maxHeadersCount = 0
  const sockets = trackSockets(server)
  server.on('connection', (socket: Socket) => {
    const live = new Set<() => void>()
    departures.set(socket, live)
    const gone = (): void => {
      for (const leave of live) leave()
      live.clear()
    }
    socket.once('end', gone)
    socket.on('error', gone)
  })
  server.on('request', (req, res) => handle(req, res, false))
  server.on('checkContinue', (req, res) => handle(req, res, true))

  const address = await bind(server, options)
  const backend: Backend = {
    name,
    address,
    stats: () => tally.stats(),
    resetStats: () => tally.reset(),
    close: () => shut(server, sockets),
  }
  return backend
}

async function perform(call: Call, answer: Answer): Promise<void> {
  try {
    await answer(call)
  } catch (error) {
    // A client that left in the middle of its body ends up here too; there is nobody to tell then.
    if (call.res.destroyed || call.res.headersSent) call.res.destroy()
    else if (error instanceof BadCall) call.line(error.message, 400)
    else call.line(String(error), 500)
  }
}
