import { formatDuration } from '@sluice/core'
import type { Logger } from 'pino'
import type { ProxyStats } from '../stats.ts'

/** Between two lines that say what a drain still waits for, in milliseconds. */
const stillOpenEveryMs = 5_000

/** Logs the steps of a drain, whoever asked for it. */
export class DrainLog {
  readonly #log: Logger | undefined
  readonly #read: () => ProxyStats
  #timer: NodeJS.Timeout | undefined

  /** Without a log it says nothing. */
  constructor(log: Logger | undefined, read: () => ProxyStats) {
    this.#log = log
    this.#read = read
  }

  begin({ drainDelayMs, drainTimeoutMs }: { drainDelayMs: number; drainTimeoutMs: number }): void {
    const atMost = `${formatDuration(drainTimeoutMs)} at most`
    const accepting = `/readyz says 503, new connections are accepted for ${formatDuration(drainDelayMs)}`
    this.#info(drainDelayMs > 0 ? `draining: ${accepting}, then ${atMost}` : `draining, ${atMost}: ${this.#open}`)
    this.#timer = setInterval(() => this.#info(`still draining: ${this.#open}`), stillOpenEveryMs)
    this.#timer.unref()
  }

  /** `drainDelay` is over. */
  stopAccepting(): void {
    this.#info(`the listeners close: ${this.#open}`)
  }

  /** The deadline has passed, and not everything has ended. */
  cut(): void {
    this.#log?.warn(`the drain's deadline has passed; cut: ${this.#open}`)
  }

  end(): void {
    clearInterval(this.#timer)
  }

  #info(message: string): void {
    this.#log?.info(message)
  }

  get #open(): string {
    return stillOpen(this.#read())
  }
}

/** What is under way, in words. */
export function stillOpen({ exchanges, listeners }: ProxyStats): string {
  const connections = listeners.filter((listener) => listener.connections > 0)
  if (exchanges === 0 && connections.length === 0) return 'nothing is open'
  const open = connections.map((listener) => `${listener.connections} on ${listener.name}`).join(', ')
  return `${exchanges} under way; connections open: ${open === '' ? 'none' : open}`
}
