import { createHash, randomFillSync } from 'node:crypto'
import type { Readable, Writable } from 'node:stream'

/** Random octets that senders take their runs from, at any place. */
const source = randomFillSync(Buffer.allocUnsafe(4 * 1_048_576))

const below = (bound: number): number => Math.floor(Math.random() * bound)

/** A run of random octets, mostly small, at times larger than any buffer on the way. */
export function randomRun(maxBytes: number): Buffer {
  const largest = [100, 5_000, 70_000, 400_000][below(4)]!
  const length = Math.min(maxBytes, 1 + below(largest))
  const start = below(source.length - length)
  return source.subarray(start, start + length)
}

export const pauseMs = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/**
 * Writes `bytes` octets in uneven runs, with pauses, and gives their SHA-256. The stream is left open; the last octet
 * waits for `lastAfter`.
 */
export async function sendUnevenly(to: Writable, bytes: number, lastAfter?: Promise<unknown>): Promise<string> {
  const hash = createHash('sha256')
  for (let left = bytes; left > 0; ) {
    if (left === 1) await lastAfter
    if (to.destroyed) throw new Error(`the stream was closed with ${left} of ${bytes} bytes unsent`)
    const run = randomRun(Math.max(1, left - 1))
    left -= run.length
    hash.update(run)
    if (!to.write(run)) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          to.off('drain', done)
          to.off('close', done)
          resolve()
        }
        to.on('drain', done)
        to.on('close', done)
      })
    }
    if (below(16) === 0) await pauseMs(below(3))
  }
  return hash.digest('hex')
}

/**
 * Reads to the end, now greedily, now with pauses in which the buffers on the way fill; gives length and SHA-256. It
 * begins late: only when the kernel's buffers are full does anything queue in between.
 */
export async function readUnevenly(from: Readable): Promise<{ bytes: number; hash: string }> {
  const hash = createHash('sha256')
  const patience = below(2) === 0 ? 8 : 64
  let bytes = 0
  let greedy = 0
  await pauseMs(50 + below(100))
  await new Promise<void>((resolve, reject) => {
    from.on('data', (run: Buffer) => {
      bytes += run.length
      hash.update(run)
      if (greedy-- > 0) return
      greedy = below(patience)
      from.pause()
      setTimeout(() => from.resume(), below(12))
    })
    from.once('end', resolve)
    from.once('error', reject)
    from.once('close', () => reject(new Error(`the stream was cut after ${bytes} bytes`)))
  })
  return { bytes, hash: hash.digest('hex') }
}
