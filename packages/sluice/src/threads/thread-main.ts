// A data-plane thread: an engine that does what the main thread orders.
import { parentPort, workerData } from 'node:worker_threads'
import {
  type BindAddress,
  ClientTable,
  EventLoopDelay,
  HeldBytes,
  MetricsBlock,
  SharedMemory,
  SharedStore,
} from '@sluice/core'
import { Engine } from '../engine/engine.ts'
import type { ExchangeRecord } from '../engine/exchange-record.ts'
import { LogRingWriter } from '../log/log-ring.ts'
import { Logs } from '../log/logs.ts'
import { type Order, postedError, type Report, type ThreadData } from './messages.ts'

/** Between two signs of life, in milliseconds. */
const heartbeatMs = 1_000

class DataPlaneThread {
  readonly #store: SharedStore
  readonly #engine: Engine
  readonly #logs: Logs | undefined
  readonly #heartbeat: NodeJS.Timeout
  readonly #delay: EventLoopDelay | undefined
  #records: ExchangeRecord[] = []
  #toldFacts = ''

  constructor(data: ThreadData) {
    const { thread, logRing } = data
    const clock = () => performance.now()
    const faulted = (fault: unknown) => tell({ kind: 'fault', error: postedError(fault) })
    this.#store = new SharedStore(SharedMemory.from(data.memory), thread, { records: data.records, clock, faulted })
    const metrics = new MetricsBlock({
      shared: true,
      announce: (announcement) => tell({ kind: 'metrics', announcement }),
    })
    if (logRing !== undefined) this.#logs = new Logs(data.log, { sink: new LogRingWriter(logRing), thread })
    this.#engine = new Engine({
      store: this.#store,
      metrics,
      logs: this.#logs,
      faulted,
      onExchange: data.recording ? (record) => this.#record(record) : undefined,
      probing: thread === 0,
      reusePort: data.reusePort,
      pseudonym: data.pseudonym,
      maxAllConnections: data.maxAllConnections,
      clients: new ClientTable(data.clients, thread),
      held: new HeldBytes(this.#store.bufferedKiB, Infinity),
    })
    if (data.measuring) {
      this.#delay = new EventLoopDelay(metrics, String(thread))
      this.#delay.start()
    }
    this.#store.open()
    this.#heartbeat = setInterval(() => this.#beat(), heartbeatMs)
    this.#beat()
  }

  async obey({ order, step, prepare }: Order): Promise<void> {
    try {
      if (prepare !== undefined) {
        this.#store.assign(prepare.records)
        await this.#engine.prepare(prepare.next)
        this.#done(order)
      } else if (step === 'bind') {
        this.#done(order, { bound: await this.#engine.bind() })
      } else if (step === 'end') {
        await this.#end()
        this.#done(order)
        parentPort!.close()
      } else if (step !== 'prepare') {
        await this.#engine[step]()
        this.#done(order)
      }
    } catch (error) {
      tell({ kind: 'failed', order, error: postedError(error) })
    }
  }

  /** What has changed by the step is told first: whoever hears that it is done may go by it. */
  #done(order: number, result: { bound?: ReadonlyMap<string, BindAddress> } = {}): void {
    this.#beat()
    tell({ kind: 'done', order, ...result })
  }

  async #end(): Promise<void> {
    await this.#engine.end()
    clearInterval(this.#heartbeat)
    this.#delay?.stop()
    this.#store.close()
    await this.#logs?.close()
  }

  #beat(): void {
    const { fine, coarse } = this.#engine.runtime
    this.#store.beat(fine.count + coarse.count)
    const { facts } = this.#engine
    const told = JSON.stringify([...facts.endpoints, ...facts.generations])
    if (told === this.#toldFacts) return
    this.#toldFacts = told
    tell({ kind: 'facts', facts })
  }

  /** Records leave together, at the end of their turn. */
  #record(record: ExchangeRecord): void {
    if (this.#records.push(record) > 1) return
    setImmediate(() => {
      const records = this.#records
      this.#records = []
      tell({ kind: 'exchanges', records })
    })
  }
}

function tell(report: Report): void {
  parentPort!.postMessage(report)
}

const thread = new DataPlaneThread(workerData as ThreadData)
parentPort!.on('message', (order: Order) => void thread.obey(order))
