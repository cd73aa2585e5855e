import { expect } from 'chai'
import { chunkSlots, layOut, slotState, slotWord, slotWords } from '../../src/state/layout.ts'
import { Slots } from '../../src/state/slots.ts'

describe('Slots', () => {
  const layout = layOut({ threads: 2, gates: 1, endpoints: 1, listeners: 1, waiters: 6 * chunkSlots })
  let words: Int32Array

  beforeEach(() => {
    words = new Int32Array(layout.length)
  })

  const owners = () => [...words.subarray(layout.chunks, layout.chunks + layout.chunkCount)]
  const take = (slots: Slots, count: number) => Array.from({ length: count }, () => slots.take())
  const stateAt = (slot: number) => layout.slots + slot * slotWords + slotWord.state

  it('takes a chunk for its thread when it has none free', () => {
    const slots = new Slots(words, layout, 2)
    expect(take(slots, chunkSlots)).to.deep.equal(Array.from({ length: chunkSlots }, (_, i) => i))
    expect(owners()).to.deep.equal([2, 0, 0, 0, 0, 0])
    slots.take()
    expect(owners()).to.deep.equal([2, 2, 0, 0, 0, 0])
  })

  it('never gives one slot to two threads', () => {
    const [first, second] = [new Slots(words, layout, 1), new Slots(words, layout, 2)]
    const taken = Array.from({ length: 3 * chunkSlots }, () => [first.take(), second.take()]).flat()
    expect(taken).to.not.include(-1)
    expect(new Set(taken).size).to.equal(6 * chunkSlots)
  })

  it('says -1 when all are taken, and gives those that come back', () => {
    const slots = new Slots(words, layout, 1)
    const taken = take(slots, 6 * chunkSlots)
    expect(slots.take()).to.equal(-1)
    slots.giveBack(taken[70]!)
    expect(slots.take()).to.equal(70)
    expect(slots.take()).to.equal(-1)
  })

  it('gives a whole chunk back once it has hoarded more than four', () => {
    const slots = new Slots(words, layout, 1)
    const taken = take(slots, 6 * chunkSlots)
    for (const slot of taken.slice(chunkSlots)) slots.giveBack(slot)
    expect(owners().filter((owner) => owner === 1)).to.have.length(5)
    const other = new Slots(words, layout, 2)
    const borrowed = take(other, chunkSlots)
    expect(borrowed).to.not.include(-1)
    expect(other.take()).to.equal(-1)
    // What this thread has left is its own still, and none of it is the other's.
    const again = take(slots, 4 * chunkSlots)
    expect(again).to.not.include(-1)
    expect(new Set([...taken.slice(0, chunkSlots), ...again, ...borrowed]).size).to.equal(6 * chunkSlots)
    expect(slots.take()).to.equal(-1)
  })

  it('leaves a slot that is given back free', () => {
    const slots = new Slots(words, layout, 1)
    const slot = slots.take()
    words[stateAt(slot)] = slotState.left
    slots.giveBack(slot)
    expect(words[stateAt(slot)]).to.equal(slotState.free)
  })

  it('finds those that others have granted, those that have left since included', () => {
    const slots = new Slots(words, layout, 1)
    const [, waiting, granted, left] = take(slots, 4)
    words[stateAt(waiting!)] = slotState.waiting
    words[stateAt(granted!)] = slotState.granted
    words[stateAt(left!)] = slotState.left
    // Another thread's.
    words[stateAt(chunkSlots + 1)] = slotState.granted
    expect(slots.granted()).to.deep.equal([granted, left])
  })
})
