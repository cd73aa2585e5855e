import type { Logger } from 'pino'
import type { EndpointStats, UpstreamStats } from '../stats.ts'

/** Between two looks, in milliseconds. */
const lookEveryMs = 1_000

/**
 * Logs when endpoints get no work any more, and when they get it again.
 *
 * It reads the state that all threads share, from one thread: a change is one line whoever brought it about, and an
 * endpoint that goes up and down all the time fills no log. What went wrong only the thread knows that met it, and tells
 * with its next sign of life: so a line comes one look after the change.
 */
export class HealthLog {
  readonly #log: Logger
  readonly #read: () => readonly UpstreamStats[]
  /** Endpoints that get no work: since the last look, or as it was said. */
  #down = new Map<string, 'seen' | 'said'>()
  #timer: NodeJS.Timeout | undefined

  constructor(log: Logger, read: () => readonly UpstreamStats[]) {
    this.#log = log
    this.#read = read
  }

  start(): void {
    this.#timer ??= setInterval(() => this.#look(), lookEveryMs)
    this.#timer.unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #look(): void {
    const down = new Map<string, 'seen' | 'said'>()
    for (const upstream of this.#read()) {
      for (const endpoint of upstream.endpoints) this.#judge(upstream.name, endpoint, down)
    }
    this.#down = down
  }

  #judge(
    upstream: string,
    { endpoint, healthy, ejected, draining, lastFailure }: EndpointStats,
    down: Map<string, 'seen' | 'said'>,
  ): void {
    if (draining) return
    const key = JSON.stringify([upstream, endpoint])
    const before = this.#down.get(key)
    const fields = { upstream, endpoint }
    const who = `endpoint ${endpoint} of ${upstream}`
    if (!healthy && before === undefined) down.set(key, 'seen')
    else if (!healthy) {
      down.set(key, 'said')
      const why = `${ejected ? 'ejected' : 'its checks fail'}${lastFailure === undefined ? '' : `: ${lastFailure}`}`
      if (before === 'seen') this.#log.warn(fields, `${who} gets no work, ${why}`)
    } else if (before !== undefined) {
      if (before === 'seen') this.#log.warn(fields, `${who} got no work for a moment: ${lastFailure ?? 'it failed'}`)
      this.#log.info(fields, `${who} gets work again`)
    }
  }
}
