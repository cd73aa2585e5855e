// Octets as strings, and hashes by which both are found. The seed keeps a peer from aiming at the place of others.

const seed = Math.floor(Math.random() * 0x7fff_ffff)
const { latin1Slice } = Buffer.prototype as Buffer & { latin1Slice(start: number, end: number): string }

/** The octets `from[start, end)` as a string of as many characters. */
export function textOf(from: Uint8Array, start: number, end: number): string {
  return start === end ? '' : latin1Slice.call(from as Buffer, start, end)
}

/** True when `text` has the characters `from[start, end)`. */
export function isText(text: string, from: Uint8Array, start: number, end: number): boolean {
  const { length } = text
  if (length !== end - start) return false
  for (let i = 0; i < length; i++) if (text.charCodeAt(i) !== from[start + i]) return false
  return true
}

/** A hash of `from[start, end)` and `salt`: the same as that of its characters by `hashText`. */
export function hashOctets(from: Uint8Array, start: number, end: number, salt: number): number {
  let hash = seed ^ salt
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ from[i]!, 0x0100_0193)
  return finish(hash)
}

/** A hash of the characters of `text` and `salt`. */
export function hashText(text: string, salt: number): number {
  let hash = seed ^ salt
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x0100_0193)
  return finish(hash)
}

// The low bits choose the place: those above have to tell in them.
function finish(hash: number): number {
  const mixed = Math.imul(hash ^ (hash >>> 15), 0x2c1b_3c6d)
  return (mixed ^ (mixed >>> 13)) >>> 0
}
