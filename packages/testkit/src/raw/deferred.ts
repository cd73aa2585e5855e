/** A promise with its ends outside, for scripts that wait on each other. */
export interface Deferred<T> {
  readonly promise: Promise<T>
  resolve(value: T | PromiseLike<T>): void
  reject(reason: Error): void
}

/** A promise that somebody else settles. */
export function deferred<T = void>(): Deferred<T> {
  return Promise.withResolvers<T>()
}
