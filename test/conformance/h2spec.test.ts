// HTTP/2 as h2spec and h2specd see it. They are programs of others (CONFORMANCE.md): where they are absent the tests
// are skipped, and what they check is covered by the project's own tests on raw bytes.
import { expect } from 'chai'
import { type Backend, startHttpBackend } from '../../packages/backends/src/index.ts'
import { type ConfigInput, createProxy, type Proxy } from '../../packages/sluice/src/index.ts'
import {
  freePorts,
  h2specdCases,
  h2specProgram,
  runH2spec,
  runH2specd,
  skipWithoutH2spec,
  verdictOfOutput,
  verdictOfReport,
} from './h2spec.ts'

/** `h2spec -S`, version 2.6. */
const h2specCases = 147

describe('HTTP/2 by h2spec', () => {
  let backend: Backend
  let proxy: Proxy | undefined
  const faults: unknown[] = []

  before(async () => {
    backend = await startHttpBackend()
  })

  after(() => backend.close())

  afterEach(async () => {
    await proxy?.close()
    proxy = undefined
    expect(faults.splice(0)).to.deep.equal([])
  })

  async function portOf(config: object): Promise<number> {
    proxy = await createProxy(config as ConfigInput, { onFault: (fault) => faults.push(fault) })
    await proxy.listen()
    const { web } = proxy.addresses
    if (web === undefined || !('port' in web)) throw new Error('not bound to a port')
    return web.port
  }

  const listeners: readonly (readonly [name: string, listener: object])[] = [
    ['sluice http', { protocol: 'http' }],
    ['sluice grpc --other pass', { protocol: 'grpc', other: 'pass' }],
  ]
  for (const [name, listener] of listeners) {
    it(`passes the ${h2specCases} strict cases against ${name}`, async function () {
      this.timeout(180_000)
      const program = h2specProgram('h2spec')
      if (program === undefined) return skipWithoutH2spec(this, 'h2spec')
      const upstream = `http://127.0.0.1:${backend.address.port}`
      const port = await portOf({ listeners: { web: { bind: '127.0.0.1:0', ...listener, upstream } } })
      const { passed, failed, skipped } = await runH2spec(program, port)
      console.log(`      h2spec: ${passed} passed, ${failed.length} failed, ${skipped.length} skipped`)
      expect(failed).to.deep.equal([])
      expect(skipped).to.deep.equal([])
      expect(passed).to.equal(h2specCases)
    })
  }

  it('passes 55 of the 57 cases of h2specd towards the upstream', async function () {
    this.timeout(240_000)
    const program = h2specProgram('h2specd')
    if (program === undefined) return skipWithoutH2spec(this, 'h2specd')
    const from = await freePorts(h2specdCases)
    const port = await portOf(towards(Array.from({ length: h2specdCases }, (_, at) => from + at)))
    const client = `${import.meta.dirname}/h2specd-client.ts`
    const { passed, failed, skipped } = await runH2specd(program, from, [process.execPath, client, String(port)])
    console.log(`      h2specd: ${passed} passed, ${failed.length} failed, ${skipped.length} skipped`)
    expect(passed + failed.length + skipped.length).to.equal(h2specdCases)
    expect(passed, failed.join('\n')).to.be.at.least(55)
  })
})

/** One route and one upstream a port. A second attempt would begin the same case again. */
function towards(ports: readonly number[]): object {
  return {
    listeners: {
      web: {
        bind: '127.0.0.1:0',
        protocol: 'http',
        routes: ports.map((port) => ({ match: { host: `p${port}.test` }, upstream: `u${port}` })),
      },
    },
    upstreams: Object.fromEntries(
      ports.map((port) => [`u${port}`, { endpoints: [`127.0.0.1:${port}`], protocol: 'http2', retries: { max: 0 } }]),
    ),
  }
}

describe('reports of h2spec', () => {
  it('tells what passed, failed and was skipped apart, in a JUnit report', () => {
    const testcase = (title: string, body: string): string =>
      `<testcase package="http2/5.1" classname="${title}" time="0.0002">${body}</testcase>`
    const xml = `<testsuites><testsuite name="5.1. Stream States" failures="2">
      ${testcase('idle: Sends a &#34;DATA&#34; frame', '')}
      ${testcase('closed: Sends &lt;HEADERS&gt;', '<failure>GOAWAY Frame (Error Code: PROTOCOL_ERROR)\nTimeout</failure>')}
      ${testcase('a window', '<skipped></skipped>')}
      ${testcase('a crash', '<error>EOF</error>')}
      ${testcase('idle: Sends a WINDOW_UPDATE frame', '')}</testsuite></testsuites>`
    expect(verdictOfReport(xml)).to.deep.equal({
      passed: 2,
      failed: ['http2/5.1 closed: Sends <HEADERS>', 'http2/5.1 a crash'],
      skipped: ['http2/5.1 a window'],
    })
  })

  const output = [
    'Generic tests for HTTP/2 client',
    '  4. HTTP Frames',
    '    4.2. Frame Size',
    '\r      × 1: Sends a DATA frame with 2^14 octets in length',
    '        -> The endpoint MUST be capable of receiving frames up to 2^14 octets in length.',
    '\r      ✔ 2: Sends a large size DATA frame',
    '',
    'Failures: ',
    '',
    '    4.2. Frame Size',
    '      × 1: Sends a DATA frame with 2^14 octets in length',
    '',
    'Finished in 0.3720 seconds',
  ]

  it('names what failed in the output of h2specd, once', () => {
    const verdict = verdictOfOutput([...output, '2 tests, 1 passed, 0 skipped, 1 failed'].join('\n'))
    const failed = ['4.2 1: Sends a DATA frame with 2^14 octets in length']
    expect(verdict).to.deep.equal({ passed: 1, failed, skipped: [] })
  })

  it('refuses the output of an h2specd that broke off', () => {
    expect(() => verdictOfOutput(output.slice(0, 5).join('\n'))).to.throw('did not finish')
  })
})
