import { expect } from 'chai'
import { refusals } from '../../src/errors.ts'
import { MetricsBlock, type Series } from '../../src/metrics/block.ts'
import { ExchangeMetrics } from '../../src/metrics/exchange-metrics.ts'
import { families } from '../../src/metrics/families.ts'
import { GateMetrics } from '../../src/metrics/gate-metrics.ts'
import { FakeConnector, FakeEngine, FakeExchange } from '../fake-protocol.ts'

describe('ExchangeMetrics', () => {
  let engine: FakeEngine
  let block: MetricsBlock

  beforeEach(() => {
    engine = new FakeEngine()
    block = new MetricsBlock()
    engine.runtime.accountTo(new ExchangeMetrics(block))
  })

  afterEach(() => engine.stop())

  const series = (name: string): Series[] => block.read().filter(({ family }) => family.name === name)

  const serve = (way = engine.route(), ms = 0): void => {
    const connector = new FakeConnector()
    const unit = new FakeExchange(engine.runtime, connector).start(way)
    connector.last?.open()
    unit.bytesIn = 10
    unit.bytesOut = 100
    engine.clock.nowMs += ms
    if (unit.connection !== undefined) unit.upstreamEnded(true)
    unit.downstreamEnded()
  }

  it('counts units by listener, route, upstream, protocol, status and reason', () => {
    serve()
    serve()
    const labels = { listener: 'web', route: 'web/', upstream: 'u', protocol: 'fake', status: '-', reason: 'ok' }
    expect(series('sluice_requests_total')).to.deep.equal([{ family: families.requests, labels, values: [2] }])
  })

  it('counts what was refused under its code, and answers of ours under no upstream', () => {
    const unit = new FakeExchange(engine.runtime, new FakeConnector()).start(engine.route())
    unit.cancel(refusals.clientGone)
    serve(engine.route({ upstream: undefined }))
    expect(series('sluice_requests_total').map(({ labels }) => [labels.upstream, labels.reason])).to.deep.equal([
      ['u', 'clientGone'],
      ['-', 'ok'],
    ])
  })

  it('does not count what never found a route', () => {
    new FakeExchange(engine.runtime, new FakeConnector()).accept().cancel(refusals.clientGone)
    expect(block.read()).to.deep.equal([])
  })

  it('observes the time from the head to the last byte, in seconds', () => {
    serve(engine.route(), 30)
    const [{ values }] = series('sluice_request_seconds') as [Series]
    const { buckets } = families.requestSeconds
    expect(values[buckets.findIndex((bound) => bound === 0.05)]).to.equal(1)
    expect(values.at(-1)).to.equal(0.03)
  })

  it('adds up the bytes of each direction by listener', () => {
    serve()
    serve()
    expect(series('sluice_bytes_total').map(({ labels, values }) => [labels.direction, values[0]])).to.deep.equal([
      ['in', 20],
      ['out', 200],
    ])
  })
})

describe('GateMetrics', () => {
  it('counts refusals by reason and observes waits in seconds', () => {
    const block = new MetricsBlock()
    const metrics = new GateMetrics(block, 'route:a')
    metrics.refused('queueFull')
    metrics.refused('queueTimeout')
    metrics.refused('queueTimeout')
    metrics.waited(250)
    const read = block.read()
    const refused = read.filter(({ family }) => family.name === 'sluice_gate_refused_total')
    expect(refused.map(({ labels, values }) => [labels.gate, labels.reason, values[0]])).to.deep.equal([
      ['route:a', 'queueFull', 1],
      ['route:a', 'queueTimeout', 2],
    ])
    expect(read[0]!.values.at(-1)).to.equal(0.25)
  })

  it('counts apart what a dry gate would have refused, and only for a dry gate', () => {
    const block = new MetricsBlock()
    new GateMetrics(block, 'g')
    const metrics = new GateMetrics(block, 'dry')
    metrics.wouldRefuse('queueFull')
    metrics.wouldRefuse('queueFull')
    const dry = block.read().filter(({ family }) => family.name === 'sluice_gate_dry_refused_total')
    expect(dry.map(({ labels, values }) => [labels, values])).to.deep.equal([
      [{ gate: 'dry', reason: 'queueFull' }, [2]],
    ])
  })

  it('shows a gate that never refused anybody as 0', () => {
    const block = new MetricsBlock()
    new GateMetrics(block, 'g')
    expect(block.read().map(({ values }) => values.every((value) => value === 0))).to.deep.equal([true, true, true])
  })
})

describe('families of metrics', () => {
  it('are named as Prometheus wants it: counters end in _total, times in _seconds, all begin with sluice_', () => {
    for (const { name, type, help } of Object.values(families)) {
      expect(name).to.match(/^sluice_[a-z_]+$/)
      expect(help).to.match(/\.$/)
      expect(name.endsWith('_total'), name).to.equal(type === 'counter')
      if (type === 'histogram') expect(name).to.match(/_seconds$/)
    }
  })

  it('have buckets in ascending order', () => {
    const { buckets } = families.requestSeconds
    expect(buckets).to.deep.equal([...buckets].toSorted((a, b) => a - b))
  })
})
