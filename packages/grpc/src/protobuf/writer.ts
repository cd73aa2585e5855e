import { wireType } from './reader.ts'

/** Writes one message, field by field. */
export class ProtobufWriter {
  #buf = Buffer.allocUnsafe(64)
  #length = 0

  tag(field: number, type: number): this {
    return this.uint32(((field << 3) | type) >>> 0)
  }

  /** An unsigned number below 2^32 as a varint. */
  uint32(value: number): this {
    this.#reserve(5)
    let rest = value
    while (rest > 0x7f) {
      this.#buf[this.#length++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.#buf[this.#length++] = rest
    return this
  }

  /** A number as a varint of 64 bits; a negative one in two's complement, ten octets. */
  uint64(value: bigint): this {
    this.#reserve(10)
    let rest = BigInt.asUintN(64, value)
    while (rest > 0x7fn) {
      this.#buf[this.#length++] = Number(rest & 0x7fn) | 0x80
      rest >>= 7n
    }
    this.#buf[this.#length++] = Number(rest)
    return this
  }

  /** The lower 32 bits. */
  fixed32(value: number): this {
    this.#reserve(4)
    this.#length = this.#buf.writeInt32LE(value | 0, this.#length)
    return this
  }

  /** The lower 64 bits. */
  fixed64(value: bigint): this {
    this.#reserve(8)
    this.#length = this.#buf.writeBigUInt64LE(BigInt.asUintN(64, value), this.#length)
    return this
  }

  float(value: number): this {
    this.#reserve(4)
    this.#length = this.#buf.writeFloatLE(value, this.#length)
    return this
  }

  double(value: number): this {
    this.#reserve(8)
    this.#length = this.#buf.writeDoubleLE(value, this.#length)
    return this
  }

  /** Length and octets. */
  bytes(value: Uint8Array): this {
    return this.uint32(value.length).octets(value)
  }

  /** Octets as they are. */
  octets(value: Uint8Array): this {
    this.#reserve(value.length)
    this.#buf.set(value, this.#length)
    this.#length += value.length
    return this
  }

  /** Length and UTF-8. */
  string(value: string): this {
    return this.bytes(Buffer.from(value, 'utf8'))
  }

  /** A whole field of bytes: tag, length and octets. */
  bytesField(field: number, value: Uint8Array): this {
    return this.tag(field, wireType.bytes).bytes(value)
  }

  /** The message so far; the writer must not be used on. */
  finish(): Buffer {
    return this.#buf.subarray(0, this.#length)
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#buf.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.#buf.length * 2, this.#length + more))
    this.#buf.copy(larger, 0, 0, this.#length)
    this.#buf = larger
  }
}
