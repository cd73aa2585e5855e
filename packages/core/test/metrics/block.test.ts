import { expect } from 'chai'
import { MetricsBlock, type MetricFamily } from '../../src/metrics/block.ts'

const counter: MetricFamily = { name: 'c', help: 'c', type: 'counter' }
const histogram = { name: 'h', help: 'h', type: 'histogram', buckets: [1, 10] } as const satisfies MetricFamily

describe('MetricsBlock', () => {
  it('has one place for one name with the same labels', () => {
    const block = new MetricsBlock()
    const place = block.place(counter, { a: '1' })
    expect(block.place(counter, { a: '1' })).to.equal(place)
    expect(block.place(counter, { a: '2' })).to.not.equal(place)
    expect(block.place({ ...counter, name: 'd' }, { a: '1' })).to.not.equal(place)
  })

  it('reads back what was added, with its labels', () => {
    const block = new MetricsBlock()
    const place = block.place(counter, { a: '1' })
    block.add(place, 2)
    block.add(place, 0.5)
    expect(block.read()).to.deep.equal([{ family: counter, labels: { a: '1' }, values: [2.5] }])
  })

  it('puts an observation into the first bucket that holds it, and into the sum', () => {
    const block = new MetricsBlock()
    const place = block.histogram(histogram)
    for (const value of [0.5, 1, 1.5, 10, 11]) block.observe(place, histogram.buckets, value)
    expect(block.read()[0]!.values).to.deep.equal([2, 2, 1, 24])
  })

  it('keeps all figures when it grows', () => {
    const block = new MetricsBlock()
    const places = Array.from({ length: 1_000 }, (_, i) => {
      const place = block.place(counter, { i: String(i) })
      block.add(place, i)
      return place
    })
    const more = block.place(counter, { i: 'more' })
    block.add(more, 7)
    expect(block.read().map(({ values }) => values[0])).to.deep.equal([...places.keys(), 7])
  })

  it('gives away figures that do not change afterwards', () => {
    const block = new MetricsBlock()
    const place = block.place(counter)
    const before = block.read()
    block.add(place, 1)
    expect(before[0]!.values).to.deep.equal([0])
  })
})
