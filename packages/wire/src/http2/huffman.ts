// The Huffman code of RFC 7541 Appendix B. It is canonical: codes of one length follow each other in the order of
// their symbols, so that the lengths say all. EOS (256) has the 30 ones at the end.
const lengths = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
  28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6,
  5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23,
  22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22,
  23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26,
  20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27,
  27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27,
  27, 27, 27, 26, 30,
]
const EOS = 256
const maxLength = 30

const codes = new Uint32Array(EOS + 1)
const codeLengths = Uint8Array.from(lengths)
/** All symbols in the order of their codes. */
const symbols = new Uint16Array(EOS + 1)
/** By length: the first code, how many there are, and the place of the first in `symbols`. */
const firstCode = new Uint32Array(maxLength + 1)
const codesOfLength = new Uint32Array(maxLength + 1)
const firstPlace = new Uint32Array(maxLength + 1)

// The next 12 bits tell one or two symbols at once: bits used << 20 | symbols << 16 | second symbol << 8 | first symbol;
// 0 for the beginnings of longer codes. One look-up a symbol took half as long again.
const stepBits = 12
const stepMask = (1 << stepBits) - 1
const steps = new Uint32Array(1 << stepBits)

let code = 0
let place = 0
for (let length = 1; length <= maxLength; length++) {
  code <<= 1
  firstCode[length] = code
  firstPlace[length] = place
  for (let symbol = 0; symbol <= EOS; symbol++) {
    if (codeLengths[symbol] !== length) continue
    if (length <= stepBits) {
      const from = code << (stepBits - length)
      steps.fill((length << 20) | (1 << 16) | symbol, from, from + (1 << (stepBits - length)))
    }
    codes[symbol] = code++
    symbols[place++] = symbol
  }
  codesOfLength[length] = code - firstCode[length]!
}

// All single symbols are known: the second of a pair is the first of the bits that follow, when all of it is there.
const singles = steps.slice()
for (let word = 0; word <= stepMask; word++) {
  const first = singles[word]!
  const rest = stepBits - (first >>> 20)
  const second = singles[(word << (stepBits - rest)) & stepMask]!
  const used = second >>> 20
  if (first === 0 || second === 0 || used > rest) continue
  steps[word] = (first + (used << 20) + (1 << 16)) | ((second & 0xff) << 8)
}

/** Room in octets to decode `length` octets of Huffman code into: its shortest codes have 5 bits. */
export function maxDecodedLength(length: number): number {
  return Math.floor((length * 8) / 5) + 1
}

/**
 * Decodes `from[start, end)` into `out`, which has room for `maxDecodedLength`, and returns the number of octets; -1
 * when it holds EOS or ends in anything but fewer than 8 bits of ones (RFC 7541 §5.2).
 */
export function decodeHuffman(from: Uint8Array, start: number, end: number, out: Uint8Array): number {
  let pos = start
  let written = 0
  // The low `have` bits of `bits` are still to be decoded.
  let bits = 0
  let have = 0
  for (;;) {
    if (have < stepBits) {
      if (pos + 1 < end) {
        bits = (bits << 16) | (from[pos]! << 8) | from[pos + 1]!
        pos += 2
        have += 16
      } else if (pos < end) {
        bits = (bits << 8) | from[pos++]!
        have += 8
      }
    }
    if (have < stepBits) return decodeRest(bits, have, out, written)
    const step = steps[(bits >>> (have - stepBits)) & stepMask]!
    if (step !== 0) {
      out[written] = step
      out[written + 1] = step >>> 8
      written += (step >>> 16) & 0x3
      have -= step >>> 20
      continue
    }
    let word = (bits >>> (have - stepBits)) & stepMask
    have -= stepBits
    let length = stepBits
    do {
      if (have === 0) {
        // The end would have to be padding, and is too long for it.
        if (pos === end) return -1
        bits = from[pos++]!
        have = 8
      }
      have--
      length++
      word = (word << 1) | ((bits >>> have) & 1)
    } while (word - firstCode[length]! >= codesOfLength[length]!)
    const symbol = symbols[firstPlace[length]! + word - firstCode[length]!]!
    if (symbol === EOS) return -1
    out[written++] = symbol
  }
}

/** The last bits, fewer than a step: short codes, then the padding. */
function decodeRest(bits: number, bitCount: number, out: Uint8Array, position: number): number {
  let have = bitCount
  let written = position
  for (;;) {
    const ones = (1 << have) - 1
    const rest = bits & ones
    const missing = stepBits - have
    const step = singles[(rest << missing) | ((1 << missing) - 1)]!
    if (step === 0 || step >>> 20 > have) return rest === ones && have < 8 ? written : -1
    out[written++] = step
    have -= step >>> 20
  }
}

/** The octets that the characters of `text` (Latin-1) take in Huffman code. */
export function huffmanLength(text: string): number {
  let bits = 0
  for (let i = 0; i < text.length; i++) bits += codeLengths[text.charCodeAt(i) & 0xff]!
  return (bits + 7) >> 3
}

/** Writes `text` (Latin-1) in Huffman code at `pos`, padded with ones, and returns the position after it. */
export function writeHuffman(out: Uint8Array, pos: number, text: string): number {
  let at = pos
  let bits = 0
  let have = 0
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i) & 0xff
    let length = codeLengths[symbol]!
    let word = codes[symbol]!
    if (length > 24) {
      // With what is left over from before it would not fit into 32 bits.
      bits = (bits << 8) | (word >>> (length - 8))
      out[at++] = bits >>> have
      length -= 8
      word &= (1 << length) - 1
    }
    bits = (bits << length) | word
    have += length
    while (have >= 8) {
      have -= 8
      out[at++] = bits >>> have
    }
  }
  if (have > 0) out[at++] = (bits << (8 - have)) | (0xff >> have)
  return at
}
