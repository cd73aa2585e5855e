import { expect } from 'chai'
import { ThreadCount } from '../../src/state/thread-count.ts'

describe('ThreadCount', () => {
  it('is what all threads have added, each to its own word', () => {
    const words = new Int32Array(3)
    const [first, second] = [new ThreadCount(words, 0), new ThreadCount(words, 2)]
    first.add(5)
    second.add(2)
    second.add(-1)
    expect([first.own, second.own, first.total, second.total]).to.deep.equal([5, 1, 6, 6])
    expect([...words]).to.deep.equal([5, 0, 1])
    expect(first.of(2)).to.equal(1)
  })

  it('forgets one thread and keeps what the others have added', () => {
    const words = new Int32Array(2)
    const [first, second] = [new ThreadCount(words, 0), new ThreadCount(words, 1)]
    first.add(3)
    second.add(4)
    first.forget(1)
    expect([first.total, second.own]).to.deep.equal([3, 0])
  })

  it('touches no word that is not its own, wherever its words lie', () => {
    const words = new Int32Array(20)
    const count = new ThreadCount(words, 1, 2, 3, 5)
    words[2] = 10
    words[12] = 20
    count.add(1)
    expect(words[7]).to.equal(1)
    expect(count.total).to.equal(31)
    count.forget(2)
    expect(count.total).to.equal(11)
    expect(words.reduce((sum, word) => sum + word)).to.equal(11)
  })
})
