import type { Probe } from '@sluice/core'
import {
  ByteStore,
  type ConnectingHandler,
  type ConnectTls,
  connectLink,
  type Link,
  type LinkError,
  parseResponseHead,
  ResponseHead,
} from '@sluice/wire'

const limits = { maxHeadBytes: 16_384, maxFields: 100, maxTargetBytes: 0 }

/** Asks for a path; 2xx and 3xx are well, as load balancers have it. Each probe has a connection of its own. */
export const httpProbe: Probe = (endpoint, options, done) => {
  const address = endpoint.addresses[endpoint.preferredAddress]
  if (address === undefined) {
    done('its name does not resolve')
    return () => {}
  }
  const path = options.type === 'http' ? options.path : '/'
  const handler = new ProbeHandler(done)
  const link = connectLink(address, handler, endpoint.tls as ConnectTls | undefined)
  handler.ask(
    link,
    `GET ${path} HTTP/1.1\r\nHost: ${endpoint.authority}\r\nUser-Agent: sluice-health\r\nConnection: close\r\n\r\n`,
  )
  return () => handler.giveUp()
}

class ProbeHandler implements ConnectingHandler {
  #done: ((failure?: string) => void) | undefined
  #link!: Link
  #request = ''
  readonly #received = new ByteStore()
  readonly #head = new ResponseHead()

  constructor(done: (failure?: string) => void) {
    this.#done = done
  }

  ask(link: Link, request: string): void {
    this.#link = link
    this.#request = request
  }

  giveUp(): void {
    this.#done = undefined
    this.#link.destroy()
  }

  onConnect(): void {
    this.#link.send(Buffer.from(this.#request, 'latin1'))
  }

  onBytes(bytes: Buffer, start: number, end: number): void {
    this.#received.write(bytes, start, end)
    const received = this.#received.take()
    const consumed = parseResponseHead(this.#head, received, 0, received.length, limits)
    if (consumed === 0) this.#received.write(received, 0, received.length)
    else if (consumed < 0) this.#end('it does not speak HTTP/1.1')
    else if (this.#head.status < 200) this.#received.write(received, consumed, received.length)
    else this.#end(this.#head.status < 400 ? undefined : `it answered ${this.#head.status}`)
  }

  onEnd(): void {
    this.#end('it closed the connection without an answer')
  }

  onClose(error: LinkError | undefined): void {
    this.#end(error?.message ?? 'it closed the connection without an answer')
  }

  onFault(fault: unknown): void {
    this.#end(String(fault))
  }

  onCongested(): void {}
  onDrain(): void {}

  #end(failure: string | undefined): void {
    const done = this.#done
    this.#done = undefined
    this.#link.destroy()
    done?.(failure)
  }
}
