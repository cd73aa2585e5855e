import type { Http2Stream } from './http2-stream.ts'

const firstSlots = 8
const maxSlots = 4_096

/**
 * The open streams of a session by their ids. These rise by two, so that the row of slots is as good as an array; a
 * stream whose slot is taken by one that has been open for long is kept in a map.
 */
export class StreamTable {
  #slots: (Http2Stream | undefined)[] = new Array<Http2Stream | undefined>(firstSlots).fill(undefined)
  #mask = firstSlots - 1
  #others: Map<number, Http2Stream> | undefined
  size = 0

  get(id: number): Http2Stream | undefined {
    const stream = this.#slots[(id >>> 1) & this.#mask]
    if (stream !== undefined && stream.id === id) return stream
    return this.#others?.get(id)
  }

  add(stream: Http2Stream): void {
    this.size++
    if (this.size > this.#mask >>> 1 && this.#mask < maxSlots) this.#grow()
    this.#put(stream)
  }

  #put(stream: Http2Stream): void {
    const slot = (stream.id >>> 1) & this.#mask
    if (this.#slots[slot] === undefined) this.#slots[slot] = stream
    else (this.#others ??= new Map<number, Http2Stream>()).set(stream.id, stream)
  }

  #grow(): void {
    const streams = this.all()
    const slots = (this.#mask + 1) * 2
    this.#slots = new Array<Http2Stream | undefined>(slots).fill(undefined)
    this.#mask = slots - 1
    this.#others = undefined
    for (const stream of streams) this.#put(stream)
  }

  delete(stream: Http2Stream): void {
    const slot = (stream.id >>> 1) & this.#mask
    if (this.#slots[slot] === stream) this.#slots[slot] = undefined
    else if (this.#others?.delete(stream.id) !== true) return
    else if (this.#others.size === 0) this.#others = undefined
    this.size--
  }

  /** All of them, in no order: a list of its own, so that they may be closed while it is gone through. */
  all(): Http2Stream[] {
    const streams = [...(this.#others?.values() ?? [])]
    for (const stream of this.#slots) if (stream !== undefined) streams.push(stream)
    return streams
  }
}
