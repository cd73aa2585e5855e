import { expect } from 'chai'
import { eventually } from '../../testkit/src/index.ts'
import { parseConfigObject } from '../src/config/parse.ts'
import type { ConfigInput } from '../src/config/schema.ts'
import { Generation, type GenerationParts } from '../src/generation.ts'
import { MetricsBlock } from '../src/metrics/block.ts'
import { Runtime } from '../src/runtime.ts'
import type { Lookup } from '../src/upstream/resolver.ts'

describe('Generation', () => {
  let generation: Generation
  let runtime: Runtime
  const probed: string[] = []

  /** The configuration brought to life after another one, in the same runtime. */
  const after = (previous: Generation): Generation => {
    generation = new Generation(previous.config, runtime, parts(), previous)
    return generation
  }

  const parts = (lookup?: Lookup): GenerationParts => {
    const probe: NonNullable<GenerationParts['probes']>['http'] = (endpoint, _options, done) => {
      probed.push(endpoint.name)
      done()
      return () => {}
    }
    return {
      metrics: new MetricsBlock(),
      probes: { http: probe, tcp: probe, grpc: probe },
      tlsOf: () => () => undefined,
      ...(lookup === undefined ? {} : { lookup }),
    }
  }

  const make = (input: ConfigInput, lookup?: Lookup): Generation => {
    const result = parseConfigObject(input)
    if (result.errors !== undefined) throw new Error(JSON.stringify(result.errors))
    runtime = new Runtime({
      faulted: (fault) => {
        throw fault
      },
    })
    generation = new Generation(result.config, runtime, parts(lookup))
    return generation
  }

  const wayOf = (listener: number, route: number) => {
    const config = generation.config.listeners[listener]!
    return generation.way(config, config.routes[route]!)
  }

  beforeEach(() => probed.splice(0))

  afterEach(() => {
    generation.close('all')
    expect(runtime.fine.count + runtime.coarse.count, 'timers').to.equal(0)
    runtime.stop()
  })

  it('gives routes that name the same gate the same gate, and others their own', () => {
    make({
      gates: { shared: { limit: 5 } },
      listeners: {
        web: {
          bind: ':8080',
          protocol: 'http',
          gate: { limit: 100 },
          routes: [
            { match: { path: '/a' }, upstream: 'http://127.0.0.1:1', gate: 'shared' },
            { match: { path: '/b' }, upstream: 'http://127.0.0.1:1', gate: 'shared' },
            { match: { path: '/c' }, upstream: 'http://127.0.0.1:1', gate: { limit: 2 } },
            { match: { path: '/d' }, respond: { body: 'ok' } },
          ],
        },
      },
    })
    const ways = [0, 1, 2, 3].map((route) => wayOf(0, route))
    expect(ways[0]!.gate).to.equal(ways[1]!.gate)
    expect(ways.map(({ gate }) => gate?.limits.limit)).to.deep.equal([5, 5, 2, undefined])
    expect(new Set(ways.map(({ listenerGate }) => listenerGate))).to.have.property('size', 1)
    expect(ways[0]!.upstream).to.equal(ways[2]!.upstream)
    expect(ways[3]!.upstream).to.equal(undefined)
    expect([...generation.gates.keys()]).to.include.members(['shared', 'listener:web'])
  })

  it('knows the gate of an upstream by its identity, and none where none is written', () => {
    make({
      listeners: { web: { bind: ':8080', protocol: 'http', upstream: 'a' } },
      upstreams: {
        a: { endpoints: ['127.0.0.1:1'], gate: { limit: 3 } },
        b: { endpoints: ['127.0.0.1:2'] },
      },
    })
    expect(generation.gates.get('upstream:a')).to.equal(generation.upstreams.get('a')!.gate)
    expect(generation.gates.has('upstream:b')).to.equal(false)
    expect(generation.upstreams.get('b')!.gate.limits.limit).to.equal(Infinity)
  })

  it('is started when every name has been looked up once, well or badly', async () => {
    const asked: string[] = []
    make(
      {
        listeners: { web: { bind: ':8080', protocol: 'http', upstream: 'a' } },
        upstreams: { a: { endpoints: ['good.test:1', 'bad.test:2', '127.0.0.1:3', '[::1]:4'] } },
      },
      (host) => {
        asked.push(host)
        return host === 'good.test' ? Promise.resolve(['10.0.0.1']) : Promise.reject(new Error('ENOTFOUND'))
      },
    )
    await generation.start()
    expect(asked).to.deep.equal(['good.test', 'bad.test'])
    const upstream = generation.upstreams.get('a')!
    expect(upstream.endpoints.map(({ addresses }) => addresses.length)).to.deep.equal([1, 0, 1, 1])
    expect(upstream.reachable).to.equal(true)
  })

  it('probes where an active check is written, once it is started', async () => {
    make({
      listeners: { web: { bind: ':8080', protocol: 'http', upstream: 'a' } },
      upstreams: {
        a: { endpoints: ['127.0.0.1:1', '127.0.0.1:2'], health: { active: { path: '/', interval: '100ms' } } },
        b: { endpoints: ['127.0.0.1:3'] },
      },
    })
    expect(probed).to.deep.equal([])
    await generation.start()
    expect(probed).to.deep.equal(['127.0.0.1:1', '127.0.0.1:2'])
    await eventually(() => probed.length >= 4)
    generation.close('all')
    expect(runtime.fine.count).to.equal(0)
  })

  for (const end of ['adopt', 'discard'] as const) {
    it(`lets go of the generation before it once it has come to its end by \`${end}\``, async () => {
      make({ listeners: { web: { bind: ':8080', protocol: 'http', upstream: 'http://127.0.0.1:1' } } })
      await generation.start()
      const previous = new WeakRef(generation)
      after(generation)
      await generation.ready()
      generation[end]()
      // A WeakRef holds what it refers to until the turn is over.
      await new Promise(setImmediate)
      globalThis.gc!()
      expect(previous.deref() === undefined).to.equal(true)
    })
  }
})
