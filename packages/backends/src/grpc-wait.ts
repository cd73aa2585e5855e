import type { EventEmitter } from 'node:events'

/** What grpc-js gives a handler, of whichever kind of call. */
export type CancellableCall = EventEmitter & { readonly cancelled: boolean }

/** Waits `ms`, or less when the client cancels; true while it is still there. */
export async function notCancelledFor(call: CancellableCall, ms: number): Promise<boolean> {
  if (ms > 0 && !call.cancelled) {
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        call.removeListener('cancelled', done)
        resolve()
      }
      const timer = setTimeout(done, ms)
      call.once('cancelled', done)
    })
  }
  return !call.cancelled
}

/** Resolves when `call` takes messages again after a `write` that said no, or when the client has cancelled. */
export function taken(call: CancellableCall): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      call.removeListener('drain', done)
      call.removeListener('cancelled', done)
      resolve()
    }
    call.once('drain', done)
    call.once('cancelled', done)
  })
}
