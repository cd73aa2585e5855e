import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { expect } from 'chai'
import { eventually } from '../../../testkit/src/raw/eventually.ts'
import { type MetricsAnnouncement, MetricsBlock, type MetricsSource } from '../../src/metrics/block.ts'
import { families } from '../../src/metrics/families.ts'
import { MetricsReader } from '../../src/metrics/reader.ts'
import { MetricsSum } from '../../src/metrics/sum.ts'
import type { CountingReport, CountingTask } from './counting-thread.ts'

/** `name gate` → first value. */
function figures(source: MetricsSource): Record<string, number> {
  return Object.fromEntries(
    source.read().map(({ family, labels, values }) => [`${family.name} ${labels['gate']}`, values[0]!]),
  )
}

describe('MetricsSum', () => {
  let a: MetricsBlock
  let b: MetricsBlock
  let sum: MetricsSum

  beforeEach(() => {
    a = new MetricsBlock()
    b = new MetricsBlock()
    sum = new MetricsSum()
    sum.add(a)
    sum.add(b)
  })

  it('adds up counters, gauges and histograms of the same family and labels, in whatever order they were made', () => {
    for (const block of [a, b]) block.add(block.place(families.gateRunning, { gate: 'g' }), 2)
    a.add(a.place(families.gateRefused, { gate: 'g', reason: 'queueFull' }), 1)
    a.add(a.place(families.gateRefused, { gate: 'h', reason: 'queueFull' }), 10)
    b.add(b.place(families.gateRefused, { reason: 'queueFull', gate: 'h' }), 20)
    b.add(b.place(families.gateRefused, { reason: 'queueFull', gate: 'g' }), 2)
    const { buckets } = families.gateWaitSeconds
    for (const block of [a, b]) block.observe(block.histogram(families.gateWaitSeconds, { gate: 'g' }), buckets, 2)
    expect(figures(sum)).to.include({
      'sluice_gate_running g': 4,
      'sluice_gate_refused_total g': 3,
      'sluice_gate_refused_total h': 30,
    })
    const waits = sum.read().find(({ family }) => family.name === families.gateWaitSeconds.name)!
    expect(waits.values.at(-1)).to.equal(4)
    expect(waits.values[buckets.findIndex((bound) => bound === 2.5)]).to.equal(2)
  })

  it('keeps what a dead thread has counted, and forgets where its gauges stood', () => {
    for (const block of [a, b]) {
      block.add(block.place(families.gateRunning, { gate: 'g' }), 1)
      block.add(block.place(families.internalErrors), 3)
      const waits = block.histogram(families.gateWaitSeconds, { gate: 'g' })
      block.observe(waits, families.gateWaitSeconds.buckets, 0)
    }
    sum.retire(a)
    sum.retire(a)
    const left = {
      'sluice_gate_running g': 1,
      'sluice_internal_errors_total undefined': 6,
      'sluice_gate_wait_seconds g': 2,
    }
    expect(figures(sum)).to.deep.equal(left)
    sum.retire(b)
    expect(figures(sum)).to.deep.equal({
      'sluice_internal_errors_total undefined': 6,
      'sluice_gate_wait_seconds g': 2,
    })
  })

  it('does not add to the figures it has given away', () => {
    const place = a.place(families.internalErrors)
    sum.retire(b)
    const before = sum.read()
    a.add(place, 1)
    sum.retire(a)
    expect(sum.read()[0]!.values).to.deep.equal([1])
    expect(before[0]!.values).to.deep.equal([0])
  })
})

describe('MetricsReader', () => {
  const announcements: MetricsAnnouncement[] = []
  const announce = (announcement: MetricsAnnouncement) => void announcements.push(structuredClone(announcement))
  let block: MetricsBlock
  let reader: MetricsReader

  beforeEach(() => {
    announcements.length = 0
    block = new MetricsBlock({ shared: true, announce })
    reader = new MetricsReader()
  })

  const applyAll = async (): Promise<void> => {
    await Promise.resolve()
    for (const announcement of announcements.splice(0)) reader.apply(announcement)
  }

  it('is told once of all series of one turn, and of a buffer only when it is another one', async () => {
    for (const gate of ['g', 'h']) block.place(families.gateRunning, { gate })
    await Promise.resolve()
    block.place(families.gateRunning, { gate: 'i' })
    block.place(families.gateRunning, { gate: 'g' })
    await Promise.resolve()
    expect(announcements.map(({ buffer, series }) => [buffer !== undefined, series.length])).to.deep.equal([
      [true, 2],
      [false, 1],
    ])
  })

  it('sees what is counted after the announcement', async () => {
    const place = block.place(families.internalErrors)
    await applyAll()
    block.add(place, 2)
    expect(reader.read()).to.deep.equal([{ family: families.internalErrors, labels: {}, values: [2] }])
  })

  it('reads figures that stand still while the growth of the block has not reached it, and all of them then', async () => {
    const place = block.place(families.internalErrors)
    block.add(place, 1)
    await applyAll()
    for (let i = 0; i < 1_000; i++) block.add(block.place(families.gateRunning, { gate: String(i) }), i)
    block.add(place, 1)
    expect(figures(reader)).to.deep.equal({ 'sluice_internal_errors_total undefined': 1 })
    await applyAll()
    expect(reader.read().map(({ values }) => values[0])).to.deep.equal([2, ...Array(1_000).keys()])
    block.add(place, 1)
    expect(reader.read()[0]!.values).to.deep.equal([3])
  })

  it('is counted by the block', async () => {
    block.place(families.internalErrors)
    await applyAll()
    const before = block.readings
    reader.read()
    expect(block.readings).to.equal(before + 1)
  })

  it('need not know a family that is not in families: the block refuses it', () => {
    const family = { name: 'sluice_other', help: 'x', type: 'counter' } as const
    expect(() => block.place(family)).to.throw('sluice_other is not in families')
  })
})

describe('figures of worker threads', () => {
  const workers: Worker[] = []
  let sum: MetricsSum
  let counted: number[]

  beforeEach(() => {
    sum = new MetricsSum()
    counted = []
  })

  afterEach(async () => {
    await Promise.all(workers.splice(0).map((worker) => worker.terminate()))
  })

  function start(task: CountingTask): { worker: Worker; reader: MetricsReader } {
    const worker = new Worker(new URL('counting-thread.ts', import.meta.url), {
      workerData: task,
      execArgv: ['--conditions=@sluice/source'],
    })
    workers.push(worker)
    const reader = new MetricsReader()
    sum.add(reader)
    const at = counted.push(0) - 1
    worker.on('message', (report: CountingReport) => {
      if ('announced' in report) reader.apply(report.announced as MetricsAnnouncement)
      else counted[at] = report.counted
    })
    return { worker, reader }
  }

  it('add up, grow while they are read, and never fall, not even when a thread dies', async () => {
    const first = start({ gates: ['g', 'h'], growBy: 2_000 })
    start({ gates: ['h', 'g'], growBy: 0 })
    const read = () => {
      // Whatever has been reported was counted before.
      const least = counted.reduce((total, count) => total + count, 0)
      const now = figures(sum)
      for (const gate of ['g', 'h']) expect(now[`sluice_gate_refused_total ${gate}`] ?? 0).to.be.at.least(least)
      return now
    }
    let last: Record<string, number> = {}
    const monotone = () => {
      const now = read()
      for (const [name, value] of Object.entries(last)) {
        if (!name.startsWith('sluice_gate_running')) expect(now[name], name).to.be.at.least(value)
      }
      last = now
      return now
    }
    await eventually(
      () => {
        expect(monotone()).to.include({ 'sluice_gate_running all': 2, 'sluice_gate_refused_total grown 300': 1 })
        return counted[1]! > 100
      },
      { timeoutMs: 20_000 },
    )

    await Promise.all([once(first.worker, 'exit'), first.worker.terminate()])
    monotone()
    sum.retire(first.reader)
    expect(monotone()).to.include({ 'sluice_gate_running all': 1, 'sluice_gate_refused_total grown 300': 1 })

    start({ gates: ['g', 'h'], growBy: 0 })
    const before = counted[1]!
    await eventually(() => monotone()['sluice_gate_running all'] === 2 && counted[1]! > before + 20)
  }).timeout(30_000)
})
