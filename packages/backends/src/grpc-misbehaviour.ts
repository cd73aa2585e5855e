import { constants, type ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import { Metadata, type Responder, type ServerInterceptingCallInterface, status } from '@grpc/grpc-js'
import { ignoreDeadline, insideOf } from './grpc-call.ts'
import { pause } from './pump.ts'

/** The metadata that asks for a misbehaviour, as `reset&code=8&after=2`. */
export const misbehaveKey = 'x-misbehave'

/** What the misbehaving calls of one backend have in common. */
export interface MisbehaviourScope {
  /** The keys of `once` that there were. */
  readonly seen: Set<string>
  /** The TCP connection of a call. */
  socketOf(stream: ServerHttp2Stream): Socket | undefined
}

type Misbehaviour = (cue: Cue) => Responder

/** One call that is to go wrong, and how. */
class Cue {
  readonly call: ServerInterceptingCallInterface
  readonly stream: ServerHttp2Stream
  readonly scope: MisbehaviourScope
  readonly #query: URLSearchParams

  constructor(call: ServerInterceptingCallInterface, scope: MisbehaviourScope, query: URLSearchParams) {
    this.call = call
    this.stream = insideOf(call).stream
    this.scope = scope
    this.#query = query
  }

  number(name: string, fallback: number): number {
    const text = this.#query.get(name)
    return text === null ? fallback : Number(text)
  }

  text(name: string, fallback: string): string {
    return this.#query.get(name) ?? fallback
  }

  /** The service never hears of the call, whose request is read and dropped; `act` happens `ms` after it has come. */
  instead(act: () => void): Responder {
    return {
      start: () => {
        ignoreDeadline(this.call)
        // Read by nobody otherwise, and a stream that is not read to its end never closes.
        this.stream.removeAllListeners('data').resume()
        void pause(this.stream, this.number('ms', 0)).then((there) => there && act())
      },
    }
  }

  /** The service does its work; `act` happens in place of its answer number `after`, from 0, or of its status. */
  midway(act: () => void): Responder {
    const after = this.number('after', 0)
    // A turn later, as a reset overtakes what has not left yet.
    const later = (): void => void setImmediate(act)
    let sent = 0
    return {
      sendMessage: (message, next) => {
        if (sent++ < after) next(message)
        else if (sent === after + 1) later()
      },
      sendStatus: (end, next) => {
        if (sent < after) next(end)
        else if (sent === after) later()
      },
    }
  }
}

const filler = (bytes: number): Metadata => {
  const metadata = new Metadata()
  // In values of 1,000 bytes: a single one of that size meets other limits.
  for (let left = bytes; left > 0; left -= 1_000) metadata.add('x-filler', 'x'.repeat(Math.min(left, 1_000)))
  return metadata
}

/**
 * Every misbehaviour by its name. Those that act instead of the service take `ms`, a delay; those that act in its
 * midst take `after`, so many answers that are sent before.
 */
const misbehaviours: Readonly<Record<string, Misbehaviour>> = {
  /** Never answers, whatever the deadline. */
  hang: (cue) => cue.instead(() => undefined),
  /** `status&code=14&ms=500&head=0`: a status alone; head=1 sends headers first, so that it is no trailers-only answer. */
  status: (cue) =>
    cue.instead(() => {
      if (cue.number('head', 0) === 1) cue.call.sendMetadata(new Metadata())
      cue.call.sendStatus({ code: cue.number('code', status.UNAVAILABLE), details: cue.text('message', 'on cue') })
    }),
  /** `reset&code=2&after=0`: RST_STREAM. 7 is REFUSED_STREAM, 8 CANCEL, 11 ENHANCE_YOUR_CALM. */
  reset: (cue) => cue.midway(() => cue.stream.close(cue.number('code', constants.NGHTTP2_INTERNAL_ERROR))),
  /** `refuse&code=7`: RST_STREAM before the service hears of the call. */
  refuse: (cue) => cue.instead(() => cue.stream.close(cue.number('code', constants.NGHTTP2_REFUSED_STREAM))),
  /** `drop&after=0`: the connection breaks off with a TCP RST. */
  drop: (cue) => cue.midway(() => cue.scope.socketOf(cue.stream)?.resetAndDestroy()),
  /**
   * `goaway&refused=0`: GOAWAY; this call is still served. refused=1: the call before it is the last one that is, which
   * cannot be said of the first call of a connection.
   */
  goaway: (cue) => {
    const { stream } = cue
    if (cue.number('refused', 0) === 0) {
      return {
        start: (next) => {
          next()
          stream.session?.close()
        },
      }
    }
    return cue.instead(() => stream.session?.goaway(constants.NGHTTP2_NO_ERROR, stream.id! - 2))
  },
  /** `metadata&bytes=20000&where=head|trailers`: so much metadata besides what the service sends. */
  metadata: (cue) => {
    const surplus = filler(cue.number('bytes', 20_000))
    if (cue.text('where', 'head') === 'head') {
      return {
        start: (next) => {
          cue.call.sendMetadata(surplus)
          next()
        },
      }
    }
    return {
      sendStatus: (end, next) => {
        const metadata = end.metadata ?? new Metadata()
        metadata.merge(surplus)
        next({ ...end, metadata })
      },
    }
  },
  /** `http&status=503&type=text/html`: what a server answers that is none of gRPC. */
  http: (cue) =>
    cue.instead(() => {
      const type = cue.text('type', 'text/html')
      cue.stream.respond({ ':status': cue.number('status', 503), 'content-type': type })
      cue.stream.end('<h1>on cue</h1>\n')
    }),
  /** The answers of the service, then the end of the stream without any trailers. */
  'no-trailers': (cue) => ({
    sendStatus: () => {
      cue.stream.once('wantTrailers', () => cue.stream.sendTrailers({}))
      cue.stream.end()
    },
  }),
}

/**
 * What `wish` (the value of `x-misbehave`) makes of a call; `once=KEY` in it misbehaves for the first call with that
 * key and not for those that repeat it. `undefined`: behaves.
 */
export function misbehave(
  wish: string,
  call: ServerInterceptingCallInterface,
  scope: MisbehaviourScope,
): Responder | undefined {
  const query = new URLSearchParams(wish)
  const once = query.get('once')
  if (once !== null) {
    if (scope.seen.has(once)) return undefined
    scope.seen.add(once)
  }
  const name = wish.split('&', 1)[0]!
  const misbehaviour = misbehaviours[name]
  const cue = new Cue(call, scope, query)
  if (misbehaviour !== undefined) return misbehaviour(cue)
  const details = `there is no misbehaviour '${name}'`
  return cue.instead(() => call.sendStatus({ code: status.INVALID_ARGUMENT, details }))
}
