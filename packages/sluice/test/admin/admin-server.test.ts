import { get, request } from 'node:http'
import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { RawClient } from '../../../testkit/src/raw/index.ts'
import { createProxy, type Proxy } from '../../src/index.ts'

interface Reply {
  readonly status: number
  readonly headers: Record<string, unknown>
  readonly body: string
}

/** By node:http, since `fetch` lets nobody set `Host` and `Origin`. */
function ask(port: number, path: string, options: { method?: string; headers?: Record<string, string> } = {}) {
  return new Promise<Reply>((resolve, reject) => {
    const call = request({ host: '127.0.0.1', port, path, agent: false, ...options }, (response) => {
      let body = ''
      response.on('data', (chunk) => (body += String(chunk)))
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body }))
    })
    call.once('error', reject)
    call.end()
  })
}

describe('the admin listener', () => {
  let proxy: Proxy
  let port: number

  beforeEach(async () => {
    proxy = await createProxy({
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
    await proxy.listen()
    port = (proxy.adminAddress as { port: number }).port
  })
  afterEach(() => proxy.close())

  it('tells health, readiness and what there is, to GET and HEAD', async () => {
    expect(await ask(port, '/healthz')).to.include({ status: 200, body: 'ok\n' })
    expect(await ask(port, '/readyz?x=1')).to.include({ status: 200, body: 'listening\n' })
    const index = await ask(port, '/')
    for (const path of ['/healthz', '/readyz', '/state', '/metrics', '/drain']) expect(index.body).to.include(path)
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
    const get = await ask(port, '/drain')
    expect([get.status, get.headers['allow']]).to.deep.equal([405, 'POST'])
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

  it('is loaded only where it is wanted', () => {
    const source = readFileSync(new URL('../../src/proxy.ts', import.meta.url), 'utf8')
    expect(source).not.to.match(/^import \{[^}]*\} from '\.\/admin/m)
  })
})
