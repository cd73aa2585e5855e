import type { Accountant, Exchange } from '@sluice/core'

/** What remains of one exchange that has ended. Plain data. */
export interface ExchangeRecord {
  readonly listener: string
  readonly route: string
  readonly protocol: string
  /** As configured; undefined when it never came as far. */
  readonly endpoint: string | undefined
  readonly status: string
  /** `ok`, or why it was refused or failed. */
  readonly reason: string
  /** Connections that were asked for on its behalf. */
  readonly attempts: number
  /** Times in milliseconds. */
  readonly waitedMs: number
  readonly totalMs: number
  /** Bytes received from and sent to the client. */
  readonly bytesIn: number
  readonly bytesOut: number
}

/** Makes a record of every exchange, for whoever wants to know outside of the data path. */
export class ExchangeRecorder implements Accountant {
  readonly #told: (record: ExchangeRecord) => void

  constructor(told: (record: ExchangeRecord) => void) {
    this.#told = told
  }

  account(exchange: Exchange): void {
    const { route, protocol, status, reason, attempts, waitedMs, bytesIn, bytesOut } = exchange
    if (route === undefined) return
    this.#told({
      listener: route.listener,
      route: route.id,
      protocol,
      endpoint: exchange.endpoint?.name,
      status,
      reason,
      attempts,
      waitedMs,
      totalMs: exchange.endedAt - exchange.startedAt,
      bytesIn,
      bytesOut,
    })
  }
}
