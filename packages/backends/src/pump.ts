import type { Writable } from 'node:stream'

const bytesPerTurn = 1_048_576

function drained(out: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      out.removeListener('drain', done)
      out.removeListener('close', done)
      resolve()
    }
    out.on('drain', done)
    out.on('close', done)
  })
}

/**
 * Writes `chunks` with back-pressure; true when all were taken, false when the reader has gone.
 *
 * Once in a megabyte it lets the event loop turn: the kernel takes writes as fast as a reader in another process
 * empties it, 'drain' comes within the same turn, and one large download would keep all others waiting.
 */
export async function pump(out: Writable, chunks: Iterable<Uint8Array>): Promise<boolean> {
  let sinceTurn = 0
  for (const chunk of chunks) {
    if (out.destroyed) return false
    if (!out.write(chunk)) await drained(out)
    sinceTurn += chunk.length
    if (sinceTurn >= bytesPerTurn) {
      sinceTurn = 0
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  return !out.destroyed
}

/** Waits `ms`, or less when `out` closes; true while `out` is still there. */
export function pause(out: Writable, ms: number): Promise<boolean> {
  if (out.destroyed) return Promise.resolve(false)
  return new Promise((resolve) => {
    const gone = (): void => {
      clearTimeout(timer)
      resolve(false)
    }
    const timer = setTimeout(() => {
      out.removeListener('close', gone)
      resolve(!out.destroyed)
    }, ms)
    out.once('close', gone)
  })
}
