/** How a field stands on the wire (protobuf encoding, "Message Structure"). */
export const wireType = { varint: 0, fixed64: 1, bytes: 2, startGroup: 3, endGroup: 4, fixed32: 5 } as const

/** A message that is no protobuf; the message is a sentence. Thrown by readers, caught where a message begins. */
export class MalformedMessage extends Error {
  override readonly name = 'MalformedMessage'
}

/** Groups and messages within each other; protobuf's own libraries stop at as many. */
export const maxDepth = 100

/** Reads one message from a range of a buffer, field by field. Every bound is checked: bad bytes make it throw. */
export class ProtobufReader {
  readonly #buf: Buffer
  readonly #end: number
  #at: number
  /** The halves of the varint read last: a bigint for each tag would cost more than all the rest. */
  #low = 0
  #high = 0

  constructor(buf: Buffer, start = 0, end: number = buf.length) {
    this.#buf = buf
    this.#at = start
    this.#end = end
  }

  get done(): boolean {
    return this.#at >= this.#end
  }

  /** The next tag: field number times 8 plus wire type. */
  tag(): number {
    this.#varint()
    if (this.#high !== 0 || this.#low < 8) throw new MalformedMessage('a field has an impossible number')
    return this.#low
  }

  /** A varint as an unsigned number of 64 bits. */
  uint64(): bigint {
    this.#varint()
    return this.#high === 0 ? BigInt(this.#low) : (BigInt(this.#high) << 32n) | BigInt(this.#low)
  }

  /** A varint's lower 32 bits, unsigned. */
  uint32(): number {
    this.#varint()
    return this.#low
  }

  fixed32(): number {
    return this.#buf.readUInt32LE(this.#skip(4))
  }

  fixed64(): bigint {
    return this.#buf.readBigUInt64LE(this.#skip(8))
  }

  float(): number {
    return this.#buf.readFloatLE(this.#skip(4))
  }

  double(): number {
    return this.#buf.readDoubleLE(this.#skip(8))
  }

  /** Length and octets; the buffer is a view, lent like the one that is read. */
  bytes(): Buffer {
    this.#varint()
    const tooLong = this.#high !== 0 || this.#low > this.#end - this.#at
    if (tooLong) throw new MalformedMessage('a field is longer than its message')
    const start = this.#skip(this.#low)
    return this.#buf.subarray(start, this.#at)
  }

  /** The fields of a group whose start was just read, up to its end; a view, like that of `bytes`. */
  group(field: number): Buffer {
    const start = this.#at
    const end = this.#skipGroup(field, 1)
    return this.#buf.subarray(start, end)
  }

  /** Skips the value of a field whose tag was just read. */
  skip(tag: number, depth = 0): void {
    switch (tag & 7) {
      case wireType.varint:
        this.#varint()
        return
      case wireType.fixed64:
        this.#skip(8)
        return
      case wireType.bytes:
        this.bytes()
        return
      case wireType.startGroup:
        this.#skipGroup(tag >>> 3, depth + 1)
        return
      case wireType.fixed32:
        this.#skip(4)
        return
      default:
        throw new MalformedMessage(`a field has the impossible wire type ${tag & 7}`)
    }
  }

  /** Returns where the tag of its end begins. */
  #skipGroup(field: number, depth: number): number {
    if (depth > maxDepth) throw new MalformedMessage(`groups are nested more than ${maxDepth} deep`)
    for (;;) {
      const end = this.#at
      const tag = this.tag()
      if ((tag & 7) !== wireType.endGroup) this.skip(tag, depth)
      else if (tag >>> 3 === field) return end
      else throw new MalformedMessage('a group ends with the number of another')
    }
  }

  /** Moves on by `length` and returns where it was. */
  #skip(length: number): number {
    const start = this.#at
    if (length > this.#end - start) throw new MalformedMessage('a message ends amid a field')
    this.#at = start + length
    return start
  }

  #varint(): void {
    let low = 0
    let high = 0
    for (let shift = 0; shift < 70; shift += 7) {
      const octet = this.#buf[this.#skip(1)]!
      const bits = octet & 0x7f
      if (shift < 28) low |= bits << shift
      else if (shift > 28) high |= bits << (shift - 32)
      else {
        low |= bits << 28
        high = bits >>> 4
      }
      if (octet < 0x80) {
        this.#low = low >>> 0
        this.#high = high >>> 0
        return
      }
    }
    throw new MalformedMessage('a number has more than ten octets')
  }
}
