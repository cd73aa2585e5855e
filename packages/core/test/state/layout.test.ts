import { expect } from 'chai'
import { SeededRandom } from '../../../testkit/src/index.ts'
import {
  type Capacity,
  chunkSlots,
  defaultCapacity,
  endpointThreadWords,
  endpointWord,
  gateWord,
  type Layout,
  layOut,
  slotWord,
  slotWords,
  threadWord,
  threadWords,
} from '../../src/state/layout.ts'

/** The regions of a layout and how many words each needs. */
function regions(layout: Layout): { at: number; words: number }[] {
  const { capacity } = layout
  const holders = capacity.threads + 1
  return [
    { at: layout.published, words: 1 },
    { at: layout.threads, words: holders * threadWords },
    { at: layout.gates, words: capacity.gates * layout.gateWords },
    { at: layout.endpoints, words: capacity.endpoints * layout.endpointWords },
    { at: layout.listeners, words: capacity.listeners * holders },
    { at: layout.chunks, words: layout.chunkCount },
    { at: layout.slots, words: layout.chunkCount * chunkSlots * slotWords },
  ]
}

describe('layOut', () => {
  const random = new SeededRandom(1)
  const below = (bound: number) => 1 + random.below(bound)
  const capacities: Capacity[] = [
    { threads: 1, gates: 1, endpoints: 1, listeners: 1, waiters: 1 },
    { threads: 64, ...defaultCapacity },
    ...Array.from({ length: 200 }, () => ({
      threads: below(70),
      gates: below(50),
      endpoints: below(50),
      listeners: below(20),
      waiters: below(2_000),
    })),
  ]

  it('lets no regions overlap, whatever the capacity', () => {
    for (const capacity of capacities) {
      const layout = layOut(capacity)
      const sorted = regions(layout).toSorted((a, b) => a.at - b.at)
      let end = 0
      for (const { at, words } of sorted) {
        expect(at, JSON.stringify(capacity)).to.be.at.least(end)
        end = at + words
      }
      expect(layout.length).to.be.at.least(end)
    }
  })

  it('has room in a record for what each thread counts there, the main thread included', () => {
    for (const capacity of capacities) {
      const layout = layOut(capacity)
      const holders = capacity.threads + 1
      expect(layout.gateWords).to.be.at.least(gateWord.held + holders)
      expect(layout.endpointWords).to.be.at.least(endpointWord.perThread + endpointThreadWords * holders)
      expect(layout.chunkCount * chunkSlots).to.be.at.least(capacity.waiters)
    }
  })

  it('puts no two words of a record in one place', () => {
    for (const [record, length] of [
      [gateWord, gateWord.held + 1],
      [endpointWord, endpointWord.perThread + 1],
      [slotWord, slotWords],
      [threadWord, threadWords],
    ] as const) {
      const places = Object.values(record)
      expect(new Set(places).size).to.equal(places.length)
      expect(Math.max(...places)).to.be.below(length)
    }
  })
})
