import { Worker } from 'node:worker_threads'
import { expect } from 'chai'
import { lock, unlock } from '../../src/state/lock.ts'

const source = JSON.stringify(new URL('../../src/state/lock.ts', import.meta.url).href)

/** A thread that runs this, with `words`, `lock` and `unlock` at hand. */
function thread(words: Int32Array, code: string): Worker {
  const text = `const { workerData: words } = require('node:worker_threads')
    import(${source}).then(({ lock, unlock }) => { ${code} })`
  return new Worker(text, { eval: true, workerData: words })
}

const exit = (worker: Worker): Promise<unknown> => new Promise((resolve) => worker.once('exit', resolve))

describe('lock', () => {
  let words: Int32Array

  beforeEach(() => {
    words = new Int32Array(new SharedArrayBuffer(16))
  })

  it("says whose it is while it is taken, and is nobody's afterwards", () => {
    lock(words, 1, 7)
    expect([...words]).to.deep.equal([0, 7, 0, 0])
    unlock(words, 1)
    expect([...words]).to.deep.equal([0, 0, 0, 0])
  })

  it('lets one thread in at a time', async () => {
    const rounds = 100_000
    const code = `for (let i = 0; i < ${rounds}; i++) { lock(words, 0, 1); words[1] = words[1] + 1; unlock(words, 0) }`
    const threads = [thread(words, code), thread(words, code)]
    await Promise.all(threads.map(exit))
    expect([words[0], words[1]]).to.deep.equal([0, 2 * rounds])
  })

  it('is waited for, however long it is held', async () => {
    lock(words, 0, 1)
    const waiting = thread(
      words,
      'Atomics.store(words, 2, 1); Atomics.notify(words, 2); lock(words, 0, 2); words[3] = 1',
    )
    const exited = exit(waiting)
    await Atomics.waitAsync(words, 2, 0).value
    await new Promise((resolve) => setTimeout(resolve, 30))
    expect([words[0], words[3]]).to.deep.equal([1, 0])
    unlock(words, 0)
    await exited
    expect([words[0], words[3]]).to.deep.equal([2, 1])
  })
})
