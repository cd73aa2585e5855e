/**
 * A piece of a gRPC-Web body in text mode. Each piece is padded on its own, as PROTOCOL-WEB.md allows, so that what
 * the upstream has flushed leaves at once, whatever its length.
 */
export function encodeText(bytes: Buffer, start = 0, end: number = bytes.length): Buffer {
  return Buffer.from(bytes.toString('base64', start, end), 'latin1')
}

const invalid = 0xff
const padding = 0x40

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const values = new Uint8Array(256).fill(invalid)
for (let value = 0; value < alphabet.length; value++) values[alphabet.charCodeAt(value)] = value
values['='.charCodeAt(0)] = padding

/**
 * Decodes a gRPC-Web body in text mode: base64 (RFC 4648 §4), any number of padded pieces in a row, split anywhere.
 * Strict otherwise: no white space, no other alphabet, nothing but zeros in the bits that padding leaves over.
 */
export class Base64Decoder {
  /** Characters of the quantum of four that is not whole yet. */
  #seen = 0
  #bits = 0
  #paddings = 0
  #malformed = false

  /** The octets that `buf[start, end)` completes, in a buffer of their own; `undefined` once the text is malformed. */
  decode(buf: Uint8Array, start = 0, end: number = buf.length): Buffer | undefined {
    const out = Buffer.allocUnsafeSlow(((this.#seen + end - start) >> 2) * 3)
    let length = 0
    for (let at = start; at < end && !this.#malformed; at++) {
      this.#take(values[buf[at]!]!)
      if (this.#seen < 4) continue
      const octets = 3 - this.#paddings
      for (let shift = 16, i = 0; i < octets; shift -= 8, i++) out[length++] = (this.#bits >> shift) & 0xff
      // A text with bits in the padding would have a second spelling, and two parsers might read two bodies.
      if ((this.#bits & (0xffffff >> (octets * 8))) !== 0) this.#malformed = true
      this.#seen = this.#bits = this.#paddings = 0
    }
    return this.#malformed ? undefined : out.subarray(0, length)
  }

  /** Whether the text may end here: well-formed, and no quantum cut. */
  get whole(): boolean {
    return !this.#malformed && this.#seen === 0
  }

  #take(value: number): void {
    if (value === invalid || (value === padding ? this.#seen < 2 : this.#paddings > 0)) this.#malformed = true
    else if (value === padding) this.#paddings++
    this.#bits = (this.#bits << 6) | (value & 0x3f)
    this.#seen++
  }
}
