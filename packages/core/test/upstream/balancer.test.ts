import { expect } from 'chai'
import { startUpstream, upstreamConfig } from '../../../testkit/src/index.ts'
import type { Balance } from '../../src/config/config.ts'
import { Runtime } from '../../src/runtime.ts'
import { type Balancer, balancerOver as balancer } from '../../src/upstream/balancer.ts'
import type { Endpoint } from '../../src/upstream/endpoint.ts'

const endpointsOf = (weights: number[], limit = 100): readonly Endpoint[] => {
  const config = upstreamConfig({
    endpoints: weights.map((weight, i) => ({ address: `127.0.0.1:${3001 + i}`, weight, limit })),
  })
  return startUpstream(config, new Runtime({ faulted: () => {} })).endpoints
}

const balancerOver = (balance: Balance, endpoints: readonly Endpoint[]): Balancer =>
  balancer(balance, endpoints, { value: 0 })

/** Picks so many times and tells which, by number. */
const picks = (balancer: Balancer, endpoints: readonly Endpoint[], count: number, avoid?: Endpoint): string =>
  Array.from({ length: count }, () => {
    const picked = balancer.pick(avoid)
    return picked === undefined ? '-' : endpoints.indexOf(picked)
  }).join('')

for (const balance of ['roundRobin', 'weightedRoundRobin'] as const) {
  describe(`balancer ${balance}`, () => {
    it('gives each of equals its turn', () => {
      const endpoints = endpointsOf([1, 1, 1])
      expect(picks(balancerOver(balance, endpoints), endpoints, 9)).to.equal('012012012')
    })

    it('passes over those without room, and is fair among the others', () => {
      const endpoints = endpointsOf([1, 1, 1, 1], 1)
      const balancer = balancerOver(balance, endpoints)
      endpoints[1]!.enter()
      const picked = picks(balancer, endpoints, 30)
      for (const at of ['0', '2', '3']) expect(picked.split(at), at).to.have.length(11)
      expect(picked).to.not.include('1')
    })

    it('passes over those whose name has not been resolved', () => {
      const endpoints = endpointsOf([1, 1])
      endpoints[0]!.addresses = []
      expect(picks(balancerOver(balance, endpoints), endpoints, 3)).to.equal('111')
    })

    it('picks nobody when none has room', () => {
      const endpoints = endpointsOf([1, 1], 1)
      for (const endpoint of endpoints) endpoint.enter()
      expect(picks(balancerOver(balance, endpoints), endpoints, 1)).to.equal('-')
    })

    it('avoids an endpoint while another one has room, and only then', () => {
      const endpoints = endpointsOf([1, 1], 1)
      const [first, second] = endpoints
      const balancer = balancerOver(balance, endpoints)
      expect(picks(balancer, endpoints, 3, first)).to.equal('111')
      second!.enter()
      expect(picks(balancer, endpoints, 1, first)).to.equal('0')
      first!.enter()
      expect(picks(balancer, endpoints, 1, first)).to.equal('-')
    })

    it('never falls back to an endpoint that is not its own', () => {
      const [own, stranger] = endpointsOf([1, 1], 1) as [Endpoint, Endpoint]
      own.enter()
      expect(balancerOver(balance, [own]).pick(stranger)).to.equal(undefined)
    })
  })
}

describe('balancer roundRobin', () => {
  it('does not look at weights', () => {
    const endpoints = endpointsOf([9, 1])
    expect(picks(balancerOver('roundRobin', endpoints), endpoints, 6)).to.equal('010101')
  })

  it('goes on after the one it picked when others come back', () => {
    const endpoints = endpointsOf([1, 1, 1], 1)
    const balancer = balancerOver('roundRobin', endpoints)
    endpoints[0]!.enter()
    expect(picks(balancer, endpoints, 1)).to.equal('1')
    endpoints[0]!.leave()
    expect(picks(balancer, endpoints, 2)).to.equal('20')
  })
})

describe('balancer weightedRoundRobin', () => {
  it('mixes 5:1:1 as evenly as it can (the sequence of nginx)', () => {
    const endpoints = endpointsOf([5, 1, 1])
    expect(picks(balancerOver('weightedRoundRobin', endpoints), endpoints, 14)).to.equal('00102000010200')
  })

  it('keeps the shares exactly over a whole round', () => {
    const weights = [7, 3, 2, 1]
    const endpoints = endpointsOf(weights)
    const picked = picks(balancerOver('weightedRoundRobin', endpoints), endpoints, 13 * 20)
    expect(weights.map((_, i) => picked.split(String(i)).length - 1)).to.deep.equal([140, 60, 40, 20])
  })

  it('shares by weight among those that have room', () => {
    const endpoints = endpointsOf([6, 2, 1], 1)
    endpoints[0]!.enter()
    const picked = picks(balancerOver('weightedRoundRobin', endpoints), endpoints, 30)
    expect(picked.split('1').length - 1).to.equal(20)
  })
})
