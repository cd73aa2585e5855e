import { expect } from 'chai'
import { SeededRandom } from '../../../testkit/src/index.ts'
import { ClosedStreams, closedBy } from '../../src/http2/closed-streams.ts'
import { ReadyStreams } from '../../src/http2/ready-streams.ts'
import { StreamTable } from '../../src/http2/stream-table.ts'
import { NotedStream, Stand } from './stand.ts'

function stream(id: number): NotedStream {
  return Object.assign(new NotedStream(new Stand()), { id })
}

describe('StreamTable', () => {
  it('finds as a map does, with streams that stay open while thousands pass', () => {
    const random = new SeededRandom(5)
    const table = new StreamTable()
    const model = new Map<number, NotedStream>()
    let id = 1
    for (let step = 0; step < 20_000; step++) {
      if (model.size < 300 && random.chance(0.52)) {
        const opened = stream(id)
        table.add(opened)
        model.set(id, opened)
        id += 2
      } else if (model.size > 0) {
        // Mostly late ones, so that some early ones stay.
        const open = [...model.keys()]
        const gone = open[Math.floor(open.length * (1 - random.next() * random.next()) * 0.999)]!
        table.delete(model.get(gone)!)
        model.delete(gone)
      }
      const asked = 1 + 2 * random.below(id)
      expect(table.get(asked)).to.equal(model.get(asked))
      expect(table.size).to.equal(model.size)
    }
    for (const [open, it] of model) expect(table.get(open)).to.equal(it)
    const ids = table.all().map((open) => open.id)
    expect(ids.sort((a, b) => a - b)).to.deep.equal([...model.keys()].sort((a, b) => a - b))
  })

  it('does not count a stream that it does not know', () => {
    const table = new StreamTable()
    table.add(stream(1))
    table.delete(stream(1))
    table.delete(stream(33))
    expect(table.size).to.equal(1)
  })
})

describe('ClosedStreams', () => {
  it('remembers how the latest 256 closed', () => {
    const closed = new ClosedStreams()
    expect(closed.by(1)).to.equal(closedBy.forgotten)
    const highest = 0x7fff_ffff
    closed.note(highest, closedBy.us)
    expect(closed.by(highest)).to.equal(closedBy.us)
    for (let i = 0; i < 256; i++) closed.note(2 * i + 1, i % 2 === 0 ? closedBy.peer : closedBy.ends)
    expect([closed.by(highest), closed.by(1), closed.by(3), closed.by(511)]).to.deep.equal([
      closedBy.forgotten,
      closedBy.peer,
      closedBy.ends,
      closedBy.ends,
    ])
  })
})

describe('ReadyStreams', () => {
  it('is a ring from which any can leave', () => {
    const ready = new ReadyStreams()
    const streams = [1, 3, 5, 7].map(stream)
    const order = () => {
      const ids: number[] = []
      for (let one = ready.first; one !== undefined; one = one.nextReady) ids.push(one.id)
      return ids
    }
    for (const one of streams) ready.add(one)
    ready.add(streams[1]!)
    expect(order()).to.deep.equal([1, 3, 5, 7])
    ready.remove(streams[1]!)
    ready.remove(streams[3]!)
    ready.remove(streams[3]!)
    expect(order()).to.deep.equal([1, 5])
    ready.add(streams[1]!)
    ready.remove(streams[0]!)
    expect(order()).to.deep.equal([5, 3])
    ready.remove(streams[2]!)
    ready.remove(streams[1]!)
    expect(ready.first).to.equal(undefined)
    ready.add(streams[0]!)
    expect(order()).to.deep.equal([1])
  })
})
