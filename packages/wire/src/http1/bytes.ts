// Runs of octets: read as a string, copied, written. Lengths that matter here are those of header lines: 5 to 200.

// Node has these on every Buffer and documents neither; toString and write end in them after argument checks.
interface Latin1Buffer extends Buffer {
  latin1Slice(start: number, end: number): string
  latin1Write(text: string, offset: number, length: number): number
}

/** The octets `buf[start, end)` as a string of as many characters. */
export function readLatin1(buf: Buffer, start: number, end: number): string {
  return (buf as Latin1Buffer).latin1Slice(start, end)
}

// Measured: a copy by the engine costs 40 ns for 1 to 500 octets, a loop 1 ns an octet; a write of a string 25 to 65 ns,
// by the string's shape, a loop 1 to 2 ns a character.
const longCopy = 40
const longText = 16

/** Writes a string of Latin-1 characters at `pos` and returns the position after it; `out` must have the room. */
export function writeLatin1(out: Buffer, pos: number, text: string): number {
  const length = text.length
  if (length > longText) return pos + (out as Latin1Buffer).latin1Write(text, pos, length)
  for (let i = 0; i < length; i++) out[pos + i] = text.charCodeAt(i)
  return pos + length
}

/** Copies `from[start, end)` to `pos` and returns the position after it; `out` must have the room. */
export function copyBytes(out: Buffer, pos: number, from: Buffer, start: number, end: number): number {
  const length = end - start
  if (length > longCopy) {
    from.copy(out, pos, start, end)
    return pos + length
  }
  for (let i = 0; i < length; i++) out[pos + i] = from[start + i]!
  return pos + length
}

/** Writes a non-negative safe integer in decimal digits at `pos` and returns the position after it. */
export function writeDecimal(out: Buffer, pos: number, value: number): number {
  let length = 1
  for (let bound = 10; value >= bound; bound *= 10) length++
  let rest = value
  for (let i = pos + length - 1; i >= pos; i--) {
    const tenth = Math.floor(rest / 10)
    out[i] = 0x30 + (rest - tenth * 10)
    rest = tenth
  }
  return pos + length
}
