import { createHash } from 'node:crypto'

/** The size of one block of pseudo-random bytes: 64 KiB. */
export const randomBlockBytes = 65_536

/**
 * Block `index` of the pseudo-random bytes of `seed`. Blocks are independent of each other, so both ends of a transfer
 * can compute any part without the parts before.
 */
export function randomBlock(seed: number, index: number): Buffer {
  const words = new Uint32Array(randomBlockBytes / 4)
  // xorshift32 never leaves the state 0, hence the last bit; the multipliers spread neighbouring seeds and blocks.
  let state = (Math.imul(seed + 1, 0x85eb_ca6b) ^ Math.imul(index + 1, 0x9e37_79b9)) | 1
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[i] = state
  }
  return Buffer.from(words.buffer)
}

/** The first `length` pseudo-random bytes of `seed`, in blocks of 64 KiB and a shorter last one. */
export function* randomBlocks(length: number, seed: number): Generator<Buffer> {
  for (let start = 0; start < length; start += randomBlockBytes) {
    const block = randomBlock(seed, start / randomBlockBytes)
    yield length - start < randomBlockBytes ? block.subarray(0, length - start) : block
  }
}

/** The first `length` pseudo-random bytes of `seed` in one buffer. */
export function randomBytesOf(length: number, seed: number): Buffer {
  return Buffer.concat([...randomBlocks(length, seed)], length)
}

const digests = new Map<string, string>()

/** The SHA-256, in hex, of what `randomBytesOf` gives; remembered, as a test asks for the same one again and again. */
export function randomSha256(length: number, seed: number): string {
  const key = `${length} ${seed}`
  let digest = digests.get(key)
  if (digest === undefined) {
    const hash = createHash('sha256')
    for (const block of randomBlocks(length, seed)) hash.update(block)
    digest = hash.digest('hex')
    if (digests.size >= 256) digests.clear()
    digests.set(key, digest)
  }
  return digest
}
