import { expect } from 'chai'
import { describe, it } from 'mocha'
import { editDistance, nearest, nearestHint } from '../../src/config/nearest.ts'

describe('editDistance', () => {
  it('counts insertions, deletions, substitutions and swaps', () => {
    const cases: ReadonlyArray<[string, string, number]> = [
      ['', '', 0],
      ['a', '', 1],
      ['', 'ab', 2],
      ['maxIdel', 'maxIdle', 1],
      ['kitten', 'sitting', 3],
      ['ca', 'abc', 3],
    ]
    for (const [a, b, distance] of cases) {
      expect(editDistance(a, b), `${a} ${b}`).to.equal(distance)
      expect(editDistance(b, a), `${b} ${a}`).to.equal(distance)
    }
  })
})

describe('nearest', () => {
  it('finds the slip of the pen and the other letter case', () => {
    expect(nearest('maxIdel', ['maxIdle', 'maxConnections'])).to.equal('maxIdle')
    expect(nearest('ROUNDROBIN', ['roundRobin', 'weightedRoundRobin'])).to.equal('roundRobin')
    expect(nearest('userz', ['user', 'users'])).to.equal('user')
  })
  it('finds nothing where nothing is near', () => {
    expect(nearest('prot', ['host', 'name'])).to.equal(undefined)
    expect(nearest('x', [])).to.equal(undefined)
  })
})

describe('nearestHint', () => {
  it('lists the candidates unless there are too many to read', () => {
    expect(nearestHint('b', ['a'], 'Known are')).to.equal('Did you mean `a`? Known are a.')
    expect(nearestHint('zzz', ['a', 'b'], 'Known are')).to.equal('Known are a, b.')
    expect(
      nearestHint(
        'zzz',
        Array.from({ length: 21 }, (_, i) => `n${i}`),
        'Known are',
      ),
    ).to.equal(undefined)
  })
})
