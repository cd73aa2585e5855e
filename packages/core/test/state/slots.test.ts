import { expect } from 'chai'
import { chunkSlots, layOut, slotState, slotWord, slotWords } from '../../src/state/layout.ts'
import { Slots } from '../../src/state/slots.ts'

describe('Slots', () => {
  // One chunk for each thread, and four for whoever needs them.
  const layout = layOut({ threads: 2, gates: 1, endpoints: 1, listeners: 1, waiters: 4 * chunkSlots })
  let words: Int32Array

  beforeEach(() => {
    words = new Int32Array(layout.length)
  })

  const owners = () => [...words.subarray(layout.chunks, layout.chunks + layout.chunkCount)]
  const take = (slots: Slots, count: number) => Array.from({ length: count }, () => slots.take())
  const stateAt = (slot: number) => layout.slots + slot * slotWords + slotWord.state

  it('takes the chunk that is kept for its thread, then one after the other when it has none free', () => {
    const slots = new Slots(words, layout, 2)
    expect(take(slots, chunkSlots)).to.deep.equal(Array.from({ length: chunkSlots }, (_, i) => chunkSlots + i))
    expect(owners()).to.deep.equal([0, 2, 0, 0, 0, 0])
    slots.take()
    expect(owners()).to.deep.equal([0, 2, 2, 0, 0, 0])
  })

  it('never gives one slot to two threads', () => {
    const [first, second] = [new Slots(words, layout, 1), new Slots(words, layout, 2)]
    const taken = Array.from({ length: 3 * chunkSlots }, () => [first.take(), second.take()]).flat()
    expect(taken).to.not.include(-1)
    expect(new Set(taken).size).to.equal(6 * chunkSlots)
  })

  it('says -1 when all but the others are taken, and gives those that come back', () => {
    const slots = new Slots(words, layout, 1)
    const taken = take(slots, 5 * chunkSlots)
    expect(taken).to.not.include(-1)
    expect(slots.take()).to.equal(-1)
    slots.giveBack(taken[70]!)
    expect(slots.take()).to.equal(taken[70])
    expect(slots.take()).to.equal(-1)
  })

  it('keeps some slots for every thread, whatever the others have taken', () => {
    const slots = new Slots(words, layout, 1)
    take(slots, 6 * chunkSlots)
    const other = new Slots(words, layout, 2)
    expect(take(other, chunkSlots)).to.not.include(-1)
    expect(other.take()).to.equal(-1)
  })

  it('gives a chunk back once it is empty and there are free slots elsewhere, and none of it is its own any more', () => {
    const slots = new Slots(words, layout, 1)
    const taken = take(slots, 4 * chunkSlots)
    expect(owners()).to.deep.equal([1, 0, 1, 1, 1, 0])
    for (const slot of taken.slice(chunkSlots, 2 * chunkSlots)) slots.giveBack(slot)
    expect(owners(), 'there are no others').to.deep.equal([1, 0, 1, 1, 1, 0])
    slots.giveBack(taken[0]!)
    expect(owners()).to.deep.equal([1, 0, 0, 1, 1, 0])
    for (const slot of taken.slice(2 * chunkSlots)) slots.giveBack(slot)
    expect(owners()).to.deep.equal([1, 0, 0, 0, 0, 0])
    const again = take(slots, 2 * chunkSlots)
    const other = take(new Slots(words, layout, 2), 3 * chunkSlots)
    const all = [...taken.slice(1, chunkSlots), ...again, ...other]
    expect(all).to.not.include(-1)
    expect(new Set(all).size).to.equal(all.length)
  })

  it('has all of them for the other threads when nobody waits', () => {
    const slots = new Slots(words, layout, 1)
    for (const slot of take(slots, 5 * chunkSlots)) slots.giveBack(slot)
    expect(owners()).to.deep.equal([1, 0, 0, 0, 0, 0])
    expect(take(new Slots(words, layout, 2), 4 * chunkSlots)).to.not.include(-1)
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
