import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  constants,
  createSecureServer,
  createServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerOptions,
} from 'node:http2'
import type { Socket } from 'node:net'
import { type Backend, type BackendOptions, bind, type Neighbours, shut, trackSockets } from './backend.ts'
import { echo } from './http-answers.ts'
import { type Answer, BadCall, Call } from './http-call.ts'
import { http2Answers } from './http2-answers.ts'
import { answerMax } from './max.ts'
import { Tally } from './tally.ts'

/** How an HTTP/2 backend is started. */
export interface Http2BackendOptions extends BackendOptions {
  /** With these, in PEM, it speaks TLS with ALPN `h2`; otherwise HTTP/2 in the clear, by prior knowledge. */
  readonly tls?: { readonly cert: string; readonly key: string }
  /** SETTINGS_MAX_CONCURRENT_STREAMS. Default: no bound. */
  readonly maxStreams?: number
  /** SETTINGS_INITIAL_WINDOW_SIZE, in bytes. Default: 65_535. */
  readonly windowBytes?: number
  /** The backends that `/max?backend=` tells of. Default: this one alone. */
  readonly neighbours?: Neighbours
}

/**
 * Starts an HTTP/2 backend. It can do what the HTTP/1.1 backend can, but for what only HTTP/1.1 has, and what
 * http2-answers.ts adds. A unit is a stream.
 */
export async function startHttp2Backend(options: Http2BackendOptions = {}): Promise<Backend> {
  const name = options.name ?? 'http2'
  const tally = options.tally ?? new Tally()
  const answers = http2Answers((call) => {
    const port = call.req.socket.remotePort
    return [...sockets].find((socket: Socket) => socket.remotePort === port)
  })

  const handle = (req: Http2ServerRequest, res: Http2ServerResponse, expectsContinue: boolean): void => {
    res.setHeader('x-backend', name)
    // What the behaviours use of them is the same on both versions; `destroyed` is what HTTP/2's lacks.
    Object.defineProperty(res, 'destroyed', { get: () => res.stream.destroyed })
    const call = new Call(req as unknown as IncomingMessage, res as unknown as ServerResponse, expectsContinue)
    if (call.verb === 'max') {
      const { status, value } = answerMax(req.url, backend, options.neighbours)
      return call.json(value, status)
    }
    if (call.verb === 'healthz') return call.line('ok')
    count(res, tally, req.url.includes('unit=') ? call.text('unit', '') : '')
    void perform(call, res, answers.get(call.verb) ?? echo)
  }

  const http2: ServerOptions = {
    settings: {
      ...(options.maxStreams === undefined ? {} : { maxConcurrentStreams: options.maxStreams }),
      ...(options.windowBytes === undefined ? {} : { initialWindowSize: options.windowBytes }),
      maxHeaderListSize: 262_144,
    },
    maxSendHeaderBlockLength: 1_048_576,
    // What is cut off, the proxy has cut off.
    unknownProtocolTimeout: 0,
  }
  const server = options.tls === undefined ? createServer(http2) : createSecureServer({ ...http2, ...options.tls })
  const sockets = trackSockets(server)
  server.on('request', (req, res) => handle(req, res, false))
  server.on('checkContinue', (req, res) => handle(req, res, true))
  server.on('sessionError', () => undefined)
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

function count({ stream }: Http2ServerResponse, tally: Tally, unit: string): void {
  const leave = tally.enter()
  if (unit !== '') tally.name(unit, leave)
  stream.once('aborted', () => leave({ byPeer: true, aborted: true }))
  // Of a stream with trailers 'finish' comes before they have left, in the same turn.
  stream.once('finish', () => !stream.aborted && leave({ byPeer: false, aborted: false }))
  stream.once('close', () => leave({ byPeer: true, aborted: stream.rstCode !== constants.NGHTTP2_NO_ERROR }))
}

async function perform(call: Call, res: Http2ServerResponse, answer: Answer): Promise<void> {
  try {
    await answer(call)
  } catch (error) {
    // A client that left in the middle of its body ends up here too; there is nobody to tell then.
    if (res.stream.destroyed || res.headersSent) res.stream.close(constants.NGHTTP2_INTERNAL_ERROR)
    else if (error instanceof BadCall) call.line(error.message, 400)
    else call.line(String(error), 500)
  }
  // Node resets a stream whose request nobody has read when its response is written, even while the client's window
  // still holds the end of that response back.
  call.req.resume()
}
