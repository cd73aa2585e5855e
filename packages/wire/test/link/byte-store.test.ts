import { expect } from 'chai'
import { describe, it } from 'mocha'
import { ByteStore } from '../../src/link/byte-store.ts'

describe('ByteStore', () => {
  it('gives back what was written, in order', () => {
    const store = new ByteStore()
    store.write(Buffer.from('-some-'), 1, 5)
    store.write(Buffer.from('thing'), 0, 5)
    expect(store.take().toString()).to.equal('something')
    expect(store.length).to.equal(0)
  })

  it('tells its account what it holds, however the bytes come and go', () => {
    let held = 0
    const store = new ByteStore({ add: (bytes) => void (held += bytes) })
    const check = () => expect(held).to.equal(store.length)
    store.write(Buffer.alloc(100), 0, 100)
    check()
    const taken = store.take()
    check()
    store.giveBack(taken, 30)
    check()
    store.write(Buffer.alloc(2_000), 0, 2_000)
    check()
    store.clear()
    check()
    store.clear()
    check()
    expect(held).to.equal(0)
  })
})
