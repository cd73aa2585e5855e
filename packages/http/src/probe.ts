import type { Endpoint, Probe } from '@sluice/core'
import {
  ByteStore,
  type ConnectingHandler,
  type ConnectTls,
  connectLink,
  headerField,
  type Http2Head,
  Http2Session,
  type Http2SessionOwner,
  http2Error,
  http2Options,
  Http2Stream,
  type HeaderField,
  type Link,
  type LinkError,
  parseResponseHead,
  ResponseHead,
} from '@sluice/wire'

const limits = { maxHeadBytes: 16_384, maxFields: 100, maxTargetBytes: 0 }

const silent = 'it closed the connection without an answer'

/** Asks for a path; 2xx and 3xx are well, as load balancers have it. Each probe has a connection of its own. */
export const httpProbe: Probe = (endpoint, options, done) => {
  const address = endpoint.addresses[endpoint.preferredAddress]
  if (address === undefined) {
    done('its name does not resolve')
    return () => {}
  }
  const path = options.type === 'http' ? options.path : '/'
  const tls = endpoint.tls as ConnectTls | undefined
  const http2 = endpoint.upstream.config.protocol === 'http2'
  const probing = http2 ? new Http2Probe(endpoint, path, done) : new Http1Probe(endpoint, path, done)
  const offered = tls === undefined ? undefined : { ...tls, protocols: [http2 ? 'h2' : 'http/1.1'] }
  probing.ask(connectLink(address, probing, offered))
  return () => probing.giveUp()
}

/** One question on a connection of its own, and whoever wants the answer. */
abstract class Probing implements ConnectingHandler {
  protected readonly endpoint: Endpoint
  protected readonly path: string
  protected link!: Link
  #done: ((failure?: string) => void) | undefined

  constructor(endpoint: Endpoint, path: string, done: (failure?: string) => void) {
    this.endpoint = endpoint
    this.path = path
    this.#done = done
  }

  ask(link: Link): void {
    this.link = link
  }

  giveUp(): void {
    this.#done = undefined
    this.link.destroy()
  }

  protected answered(status: number): void {
    this.end(status < 400 ? undefined : `it answered ${status}`)
  }

  protected end(failure: string | undefined): void {
    const done = this.#done
    this.#done = undefined
    this.link.destroy()
    done?.(failure)
  }

  abstract onConnect(): void
  abstract onBytes(bytes: Buffer, start: number, end: number): void

  onEnd(): void {
    this.end(silent)
  }

  onClose(error: LinkError | undefined): void {
    this.end(error?.message ?? silent)
  }

  onFault(fault: unknown): void {
    this.end(String(fault))
  }

  onCongested(): void {}
  onDrain(): void {}
}

class Http1Probe extends Probing {
  readonly #received = new ByteStore()
  readonly #head = new ResponseHead()

  onConnect(): void {
    const host = this.endpoint.authority
    const request = `GET ${this.path} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: sluice-health\r\nConnection: close\r\n\r\n`
    this.link.send(Buffer.from(request, 'latin1'))
  }

  onBytes(bytes: Buffer, start: number, end: number): void {
    this.#received.write(bytes, start, end)
    const received = this.#received.take()
    const consumed = parseResponseHead(this.#head, received, 0, received.length, limits)
    if (consumed === 0) this.#received.write(received, 0, received.length)
    else if (consumed < 0) this.end('it does not speak HTTP/1.1')
    else if (this.#head.status < 200) this.#received.write(received, consumed, received.length)
    else this.answered(this.#head.status)
  }
}

class Http2Probe extends Probing implements Http2SessionOwner {
  #session: Http2Session | undefined

  onConnect(): void {
    if (this.link.secure && this.link.protocol !== 'h2') {
      this.end('it does not choose HTTP/2 by ALPN')
      return
    }
    const session = new Http2Session(this.link, 'client', http2Options(limits), this)
    this.#session = session
    session.start()
    const stream = new ProbeStream(
      (status) => this.answered(status),
      () => this.end('it reset the stream without an answer'),
    )
    session.open(stream)
    stream.sendHead(this.#request(), true)
  }

  #request(): readonly HeaderField[] {
    return [
      headerField(':method', 'GET'),
      headerField(':scheme', this.link.secure ? 'https' : 'http'),
      headerField(':authority', this.endpoint.authority),
      headerField(':path', this.path),
      headerField('user-agent', 'sluice-health'),
    ]
  }

  /** The session takes them from the first on. */
  onBytes(): void {}

  newStream(): Http2Stream {
    throw new Error('an endpoint opens no streams')
  }

  protected override end(failure: string | undefined): void {
    this.#session?.close(http2Error.noError)
    super.end(failure)
  }

  onSettings(): void {}
  onGoaway(): void {}
  onIdle(): void {}
}

class ProbeStream extends Http2Stream {
  readonly #answered: (status: number) => void
  readonly #reset: () => void

  constructor(answered: (status: number) => void, reset: () => void) {
    super()
    this.#answered = answered
    this.#reset = reset
  }

  protected onHead({ status }: Http2Head): void {
    if (status >= 200) this.#answered(status)
  }

  protected onReset(): void {
    this.#reset()
  }

  protected onData(): void {}
  protected onTrailers(): void {}
  protected onSent(): void {}
}
