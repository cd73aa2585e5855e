import { expect } from 'chai'
import { Tally } from '../src/index.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const ours = { byPeer: false, aborted: false }
const theirs = { byPeer: true, aborted: true }

describe('Tally', () => {
  it('keeps the most that ran at once', async () => {
    const tally = new Tally()
    const leave = [tally.enter(), tally.enter()]
    await turn()
    leave[0]!(ours)
    tally.enter()
    expect(tally.stats()).to.deep.equal({ running: 2, max: 2, total: 3, aborted: 0 })
  })

  it('counts a unit that begins and ends in one turn', async () => {
    const tally = new Tally()
    tally.enter()(ours)
    expect(tally.stats().max).to.equal(1)
    await turn()
    expect(tally.stats().max).to.equal(1)
  })

  it('counts a unit out once', () => {
    const tally = new Tally()
    const leave = tally.enter()
    leave(ours)
    leave(theirs)
    expect(tally.stats()).to.include({ running: 0, aborted: 0 })
  })

  it('takes a departure and an arrival of one turn for a change, whichever was reported first', async () => {
    const tally = new Tally()
    const leave = tally.enter()
    await turn()
    tally.enter()
    leave(theirs)
    await turn()
    expect(tally.stats()).to.deep.equal({ running: 1, max: 1, total: 2, aborted: 1 })
  })

  it('does not forgive one unit too many when the departure comes a turn later', async () => {
    const tally = new Tally()
    const leave = tally.enter()
    tally.enter()
    await turn()
    leave(theirs)
    await turn()
    expect(tally.stats().max).to.equal(2)
  })

  it('starts anew from what runs', async () => {
    const tally = new Tally()
    const leave = [tally.enter(), tally.enter(), tally.enter()]
    await turn()
    leave[0]!(theirs)
    tally.reset()
    expect(tally.stats()).to.deep.equal({ running: 2, max: 2, total: 2, aborted: 0 })
  })
})
