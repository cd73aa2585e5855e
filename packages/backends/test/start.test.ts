import { expect } from 'chai'
import { eventually, RawClient } from '../../testkit/src/raw/index.ts'
import { BackendStartError, GrpcClient, plans, startBackends } from '../src/index.ts'

describe('startBackends', () => {
  it('starts all on free ports, and leaves none behind', async () => {
    const backends = await startBackends({ ports: 0 })
    expect(backends.all.map((one) => one.name)).to.deep.equal(plans.map((plan) => plan.name))
    expect(new Set(backends.table.map((row) => row.address.port)).size).to.equal(plans.length)
    await backends.close()
    for (const { address } of backends.all) {
      const outcome = await RawClient.connect(address.port).catch((error: Error) => error)
      expect(outcome).to.include({ code: 'ECONNREFUSED' })
    }
  })

  it('has twelve with ports of their own, 3001 to 3012', () => {
    const ports = plans.map((plan) => plan.port).filter((port) => port !== 0)
    expect(ports.toSorted((a, b) => a - b)).to.deep.equal(Array.from({ length: 12 }, (_, i) => 3001 + i))
  })

  it('starts those that are named and no others', async () => {
    const backends = await startBackends({ ports: { 'tcp-half': 0, 'http-2': 0 } })
    expect(backends.table.map((row) => row.name)).to.deep.equal(['http-2', 'tcp-half'])
    expect(backends.table[0]!.tryIt).to.include(`127.0.0.1:${backends.get('http-2').address.port}/`)
    expect(() => backends.get('http-1')).to.throw("backend 'http-1' was not started")
    await backends.close()
  })

  it('tells the counts of all through any HTTP backend', async () => {
    const backends = await startBackends({ ports: { 'http-1': 0, 'tcp-echo': 0, 'tcp-sink': 0 } })
    const ask = async (query: string): Promise<unknown> =>
      (await fetch(`http://127.0.0.1:${backends.get('http-1').address.port}/max${query}`)).json()
    const client = await RawClient.connect(backends.get('tcp-echo').address.port)
    await eventually(() => backends.stats()['tcp-echo']?.running === 1)
    const one = { running: 1, max: 1, total: 1, aborted: 0, received: 0, sent: 0 }
    const none = { running: 0, max: 0, total: 0, aborted: 0, received: 0, sent: 0 }
    expect(await ask('?backend=tcp-echo')).to.deep.equal(one)
    expect(await ask('?backend=tcp')).to.deep.equal({ 'tcp-echo': one, 'tcp-sink': none })
    expect(await ask('?backend=pigeon')).to.have.property('error', "no backend 'pigeon'")
    await client.close()
    await backends.close()
  })

  it('tells the counts of gRPC through an HTTP backend', async () => {
    const backends = await startBackends({ ports: { 'http-1': 0, 'grpc-1': 0 } })
    const grpc = new GrpcClient(`127.0.0.1:${backends.get('grpc-1').address.port}`)
    const { messages } = await grpc.run('sluice.test.v1.Echo', 'Unary')
    expect(messages[0]).to.include({ backend: 'grpc-1' })
    const max = await fetch(`http://127.0.0.1:${backends.get('http-1').address.port}/max?backend=grpc-1`)
    expect(await max.json()).to.deep.equal({ running: 0, max: 1, total: 1, aborted: 0 })
    grpc.close()
    await backends.close()
  })

  it('says in one sentence which port is in use, and leaves none running', async () => {
    const taken = await startBackends({ ports: { 'tcp-echo': 0 } })
    const { port } = taken.get('tcp-echo').address
    const outcome = await startBackends({ ports: { 'http-1': 0, 'tcp-sink': port } }).catch((error: Error) => error)
    expect(outcome).to.be.instanceOf(BackendStartError)
    const sentence = `backend tcp-sink cannot listen on 127.0.0.1:${port}: the port is in use`
    expect(outcome).to.have.property('message', sentence)
    await taken.close()
  })
})
