import { get } from 'node:http'
import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { eventually, RawClient } from '../../../testkit/src/raw/index.ts'
import { createProxy, defineConfig, type Proxy } from '../../src/index.ts'
import { ask } from '../support/ask-admin.ts'

const config = defineConfig({
  admin: { bind: '127.0.0.1:0' },
  listeners: {
    web: {
      bind: '127.0.0.1:0',
      protocol: 'http',
      routes: [
        { name: 'own', match: { path: '/own' }, respond: { body: 'x' } },
        { upstream: 'none', gate: { limit: 3 } },
      ],
    },
  },
  upstreams: { none: { endpoints: ['127.0.0.1:1'], gate: { limit: 5 } } },
})

async function expectRefused(port: number): Promise<void> {
  const error = await RawClient.connect(port).then(
    () => undefined,
    (refused: unknown) => refused,
  )
  expect(error).to.include({ code: 'ECONNREFUSED' })
}

describe('the admin listener', () => {
  let proxy: Proxy
  let port: number

  beforeEach(async () => {
    proxy = await createProxy(config)
    await proxy.listen()
    port = (proxy.adminAddress as { port: number }).port
  })
  afterEach(() => proxy.close())

  it('tells health, readiness and what there is, to GET and HEAD', async () => {
    expect(await ask(port, '/healthz')).to.include({ status: 200, body: 'ok\n' })
    expect(await ask(port, '/readyz?x=1')).to.include({ status: 200, body: 'listening\n' })
    const index = await ask(port, '/')
    for (const line of [
      /^GET +\/healthz /m,
      /^GET +\/state /m,
      /^GET +\/metrics /m,
      /^POST +\/reload /m,
      /^POST +\/drain /m,
      /^POST +\/log\/reopen /m,
      /^PATCH +\/gates\/ID /m,
      /^PUT +\/upstreams\/NAME\/endpoints /m,
    ]) {
      expect(index.body).to.match(line)
    }
    const head = await ask(port, '/state', { method: 'HEAD' })
    expect(head).to.include({ status: 200, body: '' })
    expect(Number(head.headers['content-length'])).to.be.above(100)
  })

  it('shows the state as JSON', async () => {
    const { body, headers } = await ask(port, '/state')
    expect(headers['content-type']).to.equal('application/json')
    const state = JSON.parse(body)
    expect(state).to.deep.include({ state: 'listening', exchanges: 0 })
    expect(state.gates.map(({ id }: { id: string }) => id)).to.have.members(['route:web/*', 'upstream:none'])
  })

  it('answers other paths and methods with JSON errors', async () => {
    expect((await ask(port, '/toString')).status).to.equal(404)
    expect(JSON.parse((await ask(port, '/x')).body).error).to.include('there is no `/x` here')
    const headers = { 'content-type': 'application/json' }
    const wrong = await ask(port, '/state', { method: 'DELETE', headers })
    expect([wrong.status, wrong.headers['allow']]).to.deep.equal([405, 'GET, HEAD'])
    for (const [path, method, allow] of [
      ['/drain', 'GET', 'POST'],
      ['/reload', 'GET', 'POST'],
      ['/log/reopen', 'PUT', 'POST'],
      ['/gates/route:web%2Fown', 'GET', 'PATCH'],
      ['/upstreams/none/endpoints', 'PATCH', 'PUT'],
      ['/', 'POST', 'GET, HEAD'],
    ] as const) {
      const other = await ask(port, path, { method, headers })
      expect([other.status, other.headers['allow']], path).to.deep.equal([405, allow])
    }
    for (const path of ['/gates', '/gates/', '/upstreams/none', '/upstreams//endpoints', '/reload/', '/log']) {
      expect((await ask(port, path, { method: 'PUT', headers })).status, path).to.equal(404)
    }
  })

  it('takes only a Host that no foreign name can be', async () => {
    for (const host of ['127.0.0.1', `localhost:${port}`, '[::1]:1', '192.168.0.9:80', 'LOCALHOST']) {
      expect((await ask(port, '/healthz', { headers: { host } })).status, host).to.equal(200)
    }
    for (const host of ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', '[evil]', ' ']) {
      expect((await ask(port, '/healthz', { headers: { host } })).status, host).to.equal(403)
    }
  })

  it('refuses a request without Host', async () => {
    const client = await RawClient.connect(port)
    await client.write('GET /healthz HTTP/1.0\r\n\r\n')
    expect(String(await client.readToEnd())).to.match(/^HTTP\/1\.1 403 /)
  })

  it('refuses a foreign Origin', async () => {
    const host = `127.0.0.1:${port}`
    const own = await ask(port, '/state', { headers: { host, origin: `http://${host}` } })
    expect(own.status).to.equal(200)
    for (const origin of ['http://evil.example', 'null', `https://${host}`, 'http://127.0.0.1:1']) {
      expect((await ask(port, '/state', { headers: { host, origin } })).status, origin).to.equal(403)
    }
  })

  it('changes nothing for a request that a web page could send unasked', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonp', '']) {
      const reply = await ask(port, '/drain', { method: 'POST', headers: type === '' ? {} : { 'content-type': type } })
      expect(reply.status, type).to.equal(415)
    }
    for (const [method, path] of [
      ['PATCH', '/gates/upstream:none'],
      ['PUT', '/upstreams/none/endpoints'],
      ['POST', '/reload'],
    ] as const) {
      const headers = { 'content-type': 'text/plain' }
      expect((await ask(port, path, { method, headers, body: '{"limit":1}' })).status, path).to.equal(415)
    }
    expect(proxy.state).to.equal('listening')
  })

  it('drains', async () => {
    const headers = { 'content-type': 'application/json; charset=utf-8' }
    expect((await ask(port, '/drain', { method: 'POST', headers })).status).to.equal(202)
    await proxy.ended
    expect(proxy.state).to.equal('closed')
  })

  it("has the contract's metrics, with labels from the configuration", async () => {
    const web = (proxy.addresses['web'] as { port: number }).port
    for (const path of ['/own', '/own', '/nowhere']) await new Promise((done) => get({ port: web, path }, done))
    const { body, headers } = await ask(port, '/metrics')
    expect(headers['content-type']).to.match(/^text\/plain; version=0\.0\.4/)
    const contract = `sluice_requests_total sluice_request_seconds sluice_gate_running sluice_gate_waiting
      sluice_gate_wait_seconds sluice_gate_refused_total sluice_upstream_connections sluice_endpoint_healthy
      sluice_connections sluice_connections_refused_total sluice_bytes_total sluice_internal_errors_total
      sluice_log_dropped_total sluice_event_loop_delay_seconds
      sluice_gate_oldest_wait_seconds sluice_buffered_bytes sluice_threads`.split(/\s+/)
    const names = [...body.matchAll(/^# TYPE (sluice_\w+)/gm)].map(([, name]) => name)
    expect(names).to.have.members(contract)
    const lines = body.split('\n')
    const labels = 'listener="web",route="web/own",upstream="-",protocol="http",status="200",reason="ok"'
    expect(lines).to.include(`sluice_requests_total{${labels}} 2`)
    expect(lines).to.include('sluice_request_seconds_count{listener="web",route="web/own"} 2')
    expect(lines).to.include('sluice_request_seconds_bucket{listener="web",route="web/own",le="+Inf"} 2')
    expect(lines).to.include('sluice_gate_running{gate="route:web/*"} 0')
    expect(lines).to.include('sluice_upstream_connections{upstream="none",endpoint="127.0.0.1:1",state="idle"} 0')
    expect(lines).to.include('sluice_endpoint_healthy{upstream="none",endpoint="127.0.0.1:1"} 1')
    expect(body).to.match(/^process_resident_memory_bytes \d+$/m)
    // A second scrape goes on where the first one was.
    expect((await ask(port, '/metrics')).body).to.include(`sluice_requests_total{${labels}} 2`)
  })

  it('shows what only threads have where there are threads alone, and nothing that nobody writes', async () => {
    const { body } = await ask(port, '/metrics')
    for (const absent of ['sluice_thread_restarts_total', 'sluice_reloads_total', 'sluice_gate_dry_refused_total']) {
      expect(body).not.to.include(absent)
    }
    expect(body)
      .to.match(/^sluice_threads 1$/m)
      .and.to.match(/^sluice_buffered_bytes 0$/m)
    expect(body).to.match(/^sluice_event_loop_delay_seconds\{thread="0",quantile="1"\} /m)
    await proxy.reload(config)
    expect((await ask(port, '/metrics')).body).to.match(/^sluice_reloads_total\{result="ok"\} 1$/m)
  })

  it('says at /readyz that it goes while it still accepts, for drainDelay', async () => {
    await proxy.reload({ ...config, drainDelay: '2s' })
    const draining = proxy.drain()
    expect(await ask(port, '/readyz')).to.include({ status: 503, body: 'draining\n' })
    const web = (proxy.addresses['web'] as { port: number }).port
    const client = await RawClient.connect(web)
    await client.write('GET /own HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(String(await client.readExactly(12))).to.equal('HTTP/1.1 200')
    expect(proxy.state).to.equal('draining')
    await client.close()
    await draining
    await expectRefused(web)
  })

  it('is loaded only where it is wanted', () => {
    const source = readFileSync(new URL('../../src/proxy.ts', import.meta.url), 'utf8')
    expect(source).not.to.match(/^import \{[^}]*\} from '\.\/admin/m)
  })
})

describe('/metrics of several threads', () => {
  it('has the sum of all of them, and each one by itself where that is asked', async () => {
    const proxy = await createProxy({ ...config, threads: 2 })
    await proxy.listen()
    try {
      const port = (proxy.adminAddress as { port: number }).port
      const web = (proxy.addresses['web'] as { port: number }).port
      const count = 20
      for (let i = 0; i < count; i++) expect((await ask(web, '/own')).status).to.equal(200)
      const labels = 'listener="web",route="web/own",upstream="-",protocol="http",status="200",reason="ok"'
      const body = await eventually(async () => {
        const scrape = (await ask(port, '/metrics')).body
        return scrape.includes(`sluice_requests_total{${labels}} ${count}`) && scrape
      })
      expect(body)
        .to.match(/^sluice_threads 2$/m)
        .and.to.match(/^sluice_thread_restarts_total 0$/m)
      for (const thread of [0, 1]) {
        expect(body).to.match(
          new RegExp(`^sluice_event_loop_delay_seconds\\{thread="${thread}",quantile="0.99"\\} `, 'm'),
        )
      }
      expect(body).to.match(/^sluice_gate_oldest_wait_seconds\{gate="upstream:none"\} 0$/m)
    } finally {
      await proxy.close()
    }
  })
})
