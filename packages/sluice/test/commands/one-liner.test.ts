import { expect } from 'chai'
import { startHttpBackend, startTcpBackend } from '@sluice/backends'
import { RawClient } from '../../../testkit/src/raw/index.ts'
import { loadFlags } from '../../src/commands/one-liner.ts'
import { sluice } from '../support/command.ts'

describe('a one-liner', () => {
  it('stands for a configuration', () => {
    const values = { limit: '6', queue: '100', 'queue-timeout': '2s', health: '/up', 'access-log': 'json' }
    const { config } = loadFlags('http', ':8080', ['localhost:3000', 'localhost:3001'], values)
    const [upstream] = config.upstreams
    expect(config.listeners[0]).to.deep.include({ name: 'http', protocol: 'http', bind: [{ host: '', port: 8080 }] })
    expect(config.listeners[0]!.routes[0]!.id).to.equal('http/*')
    expect(upstream!.gate).to.include({ id: 'upstream:service', limit: 6, queue: 100, timeoutMs: 2_000 })
    expect(upstream!.endpoints).to.have.length(2)
    expect(upstream!.health.active).to.include({ type: 'http', path: '/up' })
    expect(config.log.access).to.equal('json')
  })

  it('stands for a configuration of gRPC', () => {
    const to = ['localhost:50051', 'grpc://localhost:50052']
    const { config } = loadFlags('grpc', ':50050', to, { limit: '6', health: 'shop.v1.Orders', other: 'pass' })
    const [upstream] = config.upstreams
    expect(config.listeners[0]).to.deep.include({ name: 'grpc', protocol: 'grpc', other: 'pass' })
    expect(config.listeners[0]!.routes[0]!.id).to.equal('grpc/*')
    expect(upstream!.gate).to.include({ limit: 6 })
    expect(upstream!.health.active).to.include({ type: 'grpc', service: 'shop.v1.Orders' })
  })

  it('asks for the health of the server as a whole when no service is named', () => {
    const { config } = loadFlags('grpc', ':50050', ['localhost:50051'], { health: '' })
    expect(config.upstreams[0]!.health.active).to.include({ type: 'grpc', service: '' })
  })

  it('speaks HTTP/2 with the endpoints on demand', () => {
    const protocol = (values: Record<string, unknown>) =>
      loadFlags('http', ':1', ['a:1'], values).config.upstreams[0]!.protocol
    expect([protocol({ http2: true }), protocol({ http2: false }), protocol({})]).to.deep.equal([
      'http2',
      'auto',
      'auto',
    ])
  })

  it('tells of mistakes of gRPC in terms of the command line', () => {
    const grpc = (to: string, values: Record<string, unknown>) => () => loadFlags('grpc', ':1', [to], values)
    expect(grpc('a:1', { health: 'a b' })).to.throw('--health: The service `a b` must have no space')
    expect(grpc('a:1', { other: 'pas' })).to.throw('--other: `pas` is not one of the values allowed here.')
    expect(grpc('ws://a:1', {})).to.throw('TO: The endpoint `ws://a:1`')
  })

  const mistakes: ReadonlyArray<[string, string, string[], Record<string, unknown>, string]> = [
    ['a bind without port', '8080', ['a:1'], {}, 'FROM: The bind `8080` has no port. Write `:8080`.'],
    ['an endpoint without port', ':1', ['a:1', 'b'], {}, 'TO b: The address `b` has no port.'],
    ['a limit that is no number', ':1', ['a:1'], { limit: '3x' }, '--limit: `3x` is not a number.'],
    ['a limit of nothing', ':1', ['a:1'], { limit: '0' }, '--limit: The number `0` must be 1 or more.'],
    ['a duration without unit', ':1', ['a:1'], { limit: '3', 'queue-timeout': '5' }, '--queue-timeout: The duration 5'],
    ['an unknown balance', ':1', ['a:1'], { balance: 'roundrobin2' }, 'Did you mean `roundRobin`?'],
    ['a queue without a limit', ':1', ['a:1'], { queue: '5' }, '--queue means nothing without --limit.'],
    ['an open admin', ':1', ['a:1'], { admin: ':9901' }, '--admin: The admin bind `:9901` must be'],
    ['a scheme of another protocol', ':1', ['tcp://a:1'], {}, 'TO'],
  ]
  for (const [what, from, to, values, message] of mistakes) {
    it(`tells of ${what} in terms of the command line`, () => {
      expect(() => loadFlags('http', from, to, values)).to.throw(message)
    })
  }

  it('proxies HTTP behind a gate, and ends with 0 on SIGINT', async () => {
    const backend = await startHttpBackend()
    const to = `127.0.0.1:${backend.address.port}`
    const command = sluice(['http', '127.0.0.1:0', to, '--limit', '1', '--queue', '1', '--access-log', 'json'])
    const port = await command.port('http')
    const url = `http://127.0.0.1:${port}/slow?ms=100`
    const statuses = await Promise.all([url, url, url].map(async (one) => (await fetch(one)).status))
    expect(statuses).to.have.members([200, 200, 503])
    expect(backend.stats().max).to.equal(1)
    command.child.kill('SIGINT')
    expect(await command.exit).to.equal(0)
    const logged = command.lines.filter(({ id }) => id !== undefined)
    expect(logged.map(({ reason }) => reason)).to.have.members(['ok', 'ok', 'queueFull'])
    await backend.close()
  })

  it('proxies TCP', async () => {
    const backend = await startTcpBackend({ behaviour: 'echo' })
    const command = sluice(['tcp', '127.0.0.1:0', `127.0.0.1:${backend.address.port}`, '--access-log', 'json'])
    const client = await RawClient.connect(await command.port('tcp'))
    await client.write('hello')
    await client.fin()
    expect(String(await client.readToEnd())).to.equal('hello')
    command.child.kill('SIGTERM')
    expect(await command.exit).to.equal(0)
    const line = command.lines.find(({ id }) => id !== undefined)
    expect(line).to.include({ listener: 'tcp', status: null, method: null, path: null, bytesIn: 5, bytesOut: 5 })
    await backend.close()
  })

  it('ends when its terminal goes', async () => {
    const command = sluice(['http', '127.0.0.1:0', '127.0.0.1:9'])
    await command.port('http')
    command.child.kill('SIGHUP')
    expect(await command.exit).to.equal(0)
  })
})
