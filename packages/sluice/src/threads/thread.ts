import { Worker } from 'node:worker_threads'
import type { BindAddress, MetricsReader, Records } from '@sluice/core'
import type { DataPlane, NextConfig, PlaneFacts } from '../engine/data-plane.ts'
import type { ExchangeRecord } from '../engine/exchange-record.ts'
import { type Order, receivedError, type Report, type Step, type ThreadData } from './messages.ts'

/** The thread has died before it did what it was asked. */
export class ThreadDied extends Error {
  override readonly name = 'ThreadDied'
}

/** Who hears of what a thread reports. */
export interface ThreadObserver {
  exchanges(records: readonly ExchangeRecord[]): void
  fault(error: Error): void
  /** It has ended, well or badly. Everything that it had to tell has been told. */
  exited(thread: Thread, why: string): void
}

/** Where the worker's code lies: a source beside this one, or what it was compiled to. */
const entry = new URL(import.meta.url.endsWith('.ts') ? './thread-main.ts' : './thread-main.js', import.meta.url)

const noFacts: PlaneFacts = { endpoints: new Map(), generations: [] }

/** The main thread's end of one data-plane thread. */
export class Thread implements DataPlane {
  readonly number: number
  readonly metrics: MetricsReader
  /** Resolves when it has ended, well or badly. */
  readonly exited: Promise<void>
  readonly #waiting = new Map<number, { done(report: Report & { kind: 'done' }): void; failed(error: Error): void }>()
  readonly #worker: Worker
  readonly #records: () => Records
  readonly #observer: ThreadObserver
  #orders = 0
  #facts = noFacts
  #failure: string | undefined
  #gone = false

  constructor(data: ThreadData, parts: { metrics: MetricsReader; records: () => Records; observer: ThreadObserver }) {
    this.number = data.thread
    this.metrics = parts.metrics
    this.#records = parts.records
    this.#observer = parts.observer
    this.#worker = new Worker(entry, { workerData: data, name: `sluice data plane ${data.thread}`, stdout: false })
    this.#worker.on('message', (report: Report) => this.#received(report))
    this.#worker.on('messageerror', (error) => parts.observer.fault(error))
    this.#worker.on('error', (error: unknown) => {
      this.#failure = error instanceof Error ? (error.stack ?? error.message) : String(error)
    })
    this.exited = new Promise((resolve) => {
      this.#worker.once('exit', (code) => {
        this.#exit(code)
        resolve()
      })
    })
  }

  get facts(): PlaneFacts {
    return this.#facts
  }

  async prepare(next: NextConfig): Promise<void> {
    await this.#order('prepare', { next, records: this.#records() })
  }

  async adopt(): Promise<void> {
    await this.#order('adopt')
  }

  async discard(): Promise<void> {
    await this.#order('discard')
  }

  async bind(): Promise<ReadonlyMap<string, BindAddress>> {
    const { bound } = await this.#order('bind')
    return bound!
  }

  async stopAccepting(): Promise<void> {
    await this.#order('stopAccepting')
  }

  async drain(): Promise<void> {
    await this.#order('drain')
  }

  async cut(): Promise<void> {
    await this.#order('cut')
  }

  async end(): Promise<void> {
    await this.#order('end')
  }

  /** Ends it at once, wherever it is. */
  async kill(): Promise<void> {
    await this.#worker.terminate()
  }

  #order(step: Step, prepare?: Order['prepare']): Promise<Report & { kind: 'done' }> {
    if (this.#gone) return Promise.reject(new ThreadDied(`data-plane thread ${this.number} has ended`))
    const order = ++this.#orders
    return new Promise((done, failed) => {
      this.#waiting.set(order, { done, failed })
      const message: Order = { order, step, ...(prepare === undefined ? {} : { prepare }) }
      this.#worker.postMessage(message)
    })
  }

  #received(report: Report): void {
    switch (report.kind) {
      case 'done':
        this.#waiting.get(report.order)?.done(report)
        this.#waiting.delete(report.order)
        return
      case 'failed':
        this.#waiting.get(report.order)?.failed(receivedError(report.error))
        this.#waiting.delete(report.order)
        return
      case 'metrics':
        this.metrics.apply(report.announcement)
        return
      case 'facts':
        this.#facts = report.facts
        return
      case 'exchanges':
        this.#observer.exchanges(report.records)
        return
      case 'fault':
        this.#observer.fault(receivedError(report.error))
        return
    }
  }

  #exit(code: number): void {
    this.#gone = true
    const why = this.#failure ?? `it exited with code ${code}`
    const died = new ThreadDied(`data-plane thread ${this.number} has died: ${why}`)
    for (const { failed } of this.#waiting.values()) failed(died)
    this.#waiting.clear()
    this.#observer.exited(this, why)
  }
}
