import { parentPort, workerData } from 'node:worker_threads'
import { type MetricFamily, MetricsBlock } from '../../src/metrics/block.ts'
import { families } from '../../src/metrics/families.ts'

/** What a thread of the tests counts, in this order. */
export interface CountingTask {
  readonly gates: readonly string[]
  /** Series made one a turn while counting goes on, so that the block grows. */
  readonly growBy: number
}

/** What it says: its announcements, and that it has counted this much. */
export type CountingReport = { readonly announced: object } | { readonly counted: number }

const task = workerData as CountingTask
const say = (report: CountingReport) => parentPort!.postMessage(report)
const refused: MetricFamily = families.gateRefused
const block = new MetricsBlock({ shared: true, announce: (announced) => say({ announced }) })
const places = task.gates.map((gate) => block.place(refused, { gate, reason: 'queueFull' }))
block.add(block.place(families.gateRunning, { gate: 'all' }), 1)
const waits = block.histogram(families.gateWaitSeconds, { gate: 'all' })

let counted = 0
setInterval(() => {
  for (const place of places) block.add(place, 1)
  block.observe(waits, families.gateWaitSeconds.buckets, 0.001)
  counted++
  if (counted <= task.growBy) block.add(block.place(refused, { gate: `grown ${counted}`, reason: 'queueFull' }), 1)
  say({ counted })
}, 1)
