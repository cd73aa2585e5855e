import type { Http2Stream } from './http2-stream.ts'

/** The streams that may send and wait for their turn, in a ring: each sends a frame and goes to its end. */
export class ReadyStreams {
  #first: Http2Stream | undefined
  #last: Http2Stream | undefined

  get first(): Http2Stream | undefined {
    return this.#first
  }

  add(stream: Http2Stream): void {
    if (stream.ready) return
    stream.ready = true
    stream.previousReady = this.#last
    if (this.#last === undefined) this.#first = stream
    else this.#last.nextReady = stream
    this.#last = stream
  }

  remove(stream: Http2Stream): void {
    if (!stream.ready) return
    stream.ready = false
    const { previousReady: previous, nextReady: next } = stream
    if (previous === undefined) this.#first = next
    else previous.nextReady = next
    if (next === undefined) this.#last = previous
    else next.previousReady = previous
    stream.previousReady = undefined
    stream.nextReady = undefined
  }
}
