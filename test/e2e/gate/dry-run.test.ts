import { expect } from 'chai'
import { families } from '@sluice/core'
import { eventually, RawServer } from '../../../packages/testkit/src/raw/index.ts'
import { ask, get } from '../support/ask.ts'
import { Stage } from '../support/stage.ts'

describe('a gate', () => {
  let upstream: RawServer
  let stage: Stage

  const open = async (gate: object) => {
    upstream = await RawServer.start()
    stage = await Stage.start({
      listeners: { in: { bind: '127.0.0.1:0', protocol: 'http', upstream: 'up' } },
      upstreams: { up: { endpoints: [`127.0.0.1:${upstream.port}`], gate } },
    })
    stage.closesWith(upstream)
  }

  afterEach(async () => {
    await stage.close()
  })

  const refusals = () =>
    stage.proxy.metrics
      .read()
      .filter(({ family, values }) => family === families.gateDryRefused && values[0]! > 0)
      .map(({ labels, values }) => ({ ...labels, count: values[0] }))

  it('with `dryRun` lets everything through and counts what it would refuse', async () => {
    await open({ limit: 1, queue: 1, dryRun: true })
    const clients = await Promise.all(Array.from({ length: 4 }, () => stage.client('in')))
    for (const client of clients) await client.write(get('/'))
    for (const _client of clients) await (await upstream.accept()).readHead()
    expect(stage.gate('upstream:up')).to.include({ running: 4, waiting: 0 })
    expect(refusals()).to.deep.equal([{ gate: 'upstream:up', reason: 'queueFull', count: 2 }])
  })

  it('tells a client whom it refuses when another try may be worth it, from the pace of its releases', async () => {
    await open({ limit: 1, queue: 2, timeout: '20s' })
    const clients = [await stage.client('in'), await stage.client('in'), await stage.client('in')]
    for (const [i, client] of clients.entries()) {
      await client.write(get('/'))
      await stage.atGate('upstream:up', { running: 1, waiting: i })
    }
    const connection = await upstream.accept()
    await connection.readHead()
    const began = performance.now()
    await eventually(() => performance.now() - began >= 1_100, { timeoutMs: 5_000, what: 'a slow first answer' })
    await connection.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
    await stage.atGate('upstream:up', { running: 1, waiting: 1 })
    const late = await stage.client('in')
    await late.write(get('/'))
    await stage.atGate('upstream:up', { waiting: 2 })
    const { header } = await ask(await stage.client('in'), get('/'))
    expect(header('x-sluice-reason')).to.equal('queueFull')
    // Two wait, and a release takes 1.1 s: a third one would wait for three of them.
    expect(Number(header('retry-after'))).to.be.within(4, 40)
  })
})
