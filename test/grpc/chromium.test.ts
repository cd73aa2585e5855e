import { type ChildProcess, spawn } from 'node:child_process'
import { createHash, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { type GrpcBackend, methodDefinition, startGrpcBackend } from '../../packages/backends/src/index.ts'
import { deferred } from '../../packages/testkit/src/raw/index.ts'
import { Authority, type Certificate } from '../e2e/support/certificates.ts'
import { Stage, type Written } from '../e2e/support/stage.ts'
import { pageFor, type PageCall, type PageReport } from './support/page.ts'
import { findProgram, skipWithout } from './support/program.ts'

const echo = 'sluice.test.v1.Echo'
const { requestSerialize, responseDeserialize } = methodDefinition(echo, 'Unary')
const encoded = (request: object): string => requestSerialize(request).toString('base64')

/** Chromium trusts this key, whoever has signed it. */
function keyHash({ cert }: Certificate): string {
  const key = new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' })
  return createHash('sha256').update(key).digest('base64')
}

describe('A page in Chromium that calls gRPC by fetch', () => {
  let authority: Authority
  let backend: GrpcBackend
  let site: Server
  let front: Stage
  let services: Stage
  let browser: ChildProcess | undefined
  let profile: string
  let report: PageReport

  before(async function () {
    this.timeout(90_000)
    const chromium = findProgram('chromium') ?? findProgram('google-chrome') ?? skipWithout(this, 'Chromium')
    authority = new Authority()
    const certificate = authority.issue('listener')
    const tls = { cert: certificate.certFile, key: certificate.keyFile }
    backend = await startGrpcBackend()
    const reported = deferred<PageReport>()
    let page = ''
    site = createServer((req, res) => {
      if (req.url === '/report') {
        let text = ''
        req.on('data', (chunk) => (text += String(chunk)))
        req.on('end', () => {
          res.end()
          reported.resolve(JSON.parse(text) as PageReport)
        })
      } else if (req.url === '/bytes/1000000') res.end(Buffer.alloc(1_000_000))
      else res.setHeader('content-type', 'text/html').end(page)
    })
    await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve))

    const grpc = { endpoints: [`grpc://127.0.0.1:${backend.address.port}`] }
    const upstreams: Written = { grpc, site: { endpoints: [`127.0.0.1:${(site.address() as AddressInfo).port}`] } }
    const bind = '127.0.0.1:0'
    const routes = [{ match: { service: echo }, upstream: 'grpc' }, { upstream: 'site' }]
    front = await Stage.start({
      listeners: { front: { bind, protocol: 'http', tls, routes, web: { origins: ['https://elsewhere.example'] } } },
      upstreams,
    })
    const origin = `https://localhost:${front.port('front')}`
    const listener = (protocol: string, origins: string[]) => ({
      bind,
      protocol,
      tls,
      upstream: 'grpc',
      web: { origins },
    })
    services = await Stage.start({
      listeners: {
        grpc: listener('grpc', [origin]),
        http: listener('http', ['*']),
        closed: listener('grpc', ['https://elsewhere.example']),
      },
      upstreams: { grpc },
    })
    const at = (name: string): string => `https://localhost:${services.port(name)}`
    page = pageFor({
      targets: { same: origin, grpc: at('grpc'), http: at('http'), closed: at('closed') },
      unary: encoded({ text: 'hé', payload: Buffer.alloc(50_000, 'ä') }),
      streamOfFive: encoded({ text: 'a', behaviour: { responses: 5, delayMs: 100 } }),
      failing: encoded({ behaviour: { status: 9, statusMessage: 'no' } }),
    })

    profile = mkdtempSync(join(tmpdir(), 'sluice-chromium-'))
    browser = spawn(chromium, [
      '--headless=new',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--no-first-run',
      `--user-data-dir=${profile}`,
      `--ignore-certificate-errors-spki-list=${keyHash(certificate)}`,
      '--remote-debugging-port=0',
      `${origin}/`,
    ])
    let said = ''
    browser.stderr!.on('data', (chunk) => (said += String(chunk)))
    const gone = once(browser, 'exit').then(() => Promise.reject(new Error(`Chromium has ended: ${said}`)))
    report = await Promise.race([reported.promise, gone])
    gone.catch(() => undefined)
    expect(report.error).to.equal(undefined)
  })

  after(async function () {
    if (browser === undefined) return
    const exited = once(browser, 'exit')
    browser.kill('SIGKILL')
    await exited
    await front.close()
    await services.close()
    await new Promise((resolve) => site.close(resolve))
    await backend.close()
    authority.remove()
    // Processes of the browser may still write into it for a moment.
    rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
  })

  const textsOf = ({ messages = [] }: PageCall): unknown[] =>
    messages.map((message) => (responseDeserialize(Buffer.from(message, 'base64')) as { text: string }).text)

  it('is served by HTTP/2', () => {
    expect(report.protocols).to.deep.equal(['h2'])
    expect(report.downloaded).to.equal(1_000_000)
  })

  for (const target of ['same', 'grpc', 'http']) {
    for (const kind of ['binary', 'text']) {
      describe(`${target}, ${kind}`, () => {
        it('gets the answer of a unary call', () => {
          const call = report.calls[`${target} unary ${kind}`]!
          expect(call.refused).to.equal(undefined)
          expect([call.httpStatus, textsOf(call)]).to.deep.equal([200, ['hé']])
          expect(call.trailers!.map((line) => line.replace(/:\s*/, ':'))).to.include('grpc-status:0')
        })

        it('gets the answers of a stream as they come', () => {
          const call = report.calls[`${target} stream ${kind}`]!
          expect(textsOf(call)).to.deep.equal(['a', 'a', 'a', 'a', 'a'])
          expect(call.atFirst).to.be.at.most(2)
          expect(call.pieces).to.be.at.least(3)
        })

        it('gets the status of a call that fails', () => {
          const { httpStatus, messages, trailers } = report.calls[`${target} failing ${kind}`]!
          expect([httpStatus, messages]).to.deep.equal([200, []])
          expect(trailers!.map((line) => line.replace(/:\s*/, ':'))).to.include.members([
            'grpc-status:9',
            'grpc-message:no',
          ])
        })
      })
    }
  }

  it('is refused where its origin is not configured', () => {
    for (const kind of ['binary', 'text']) {
      expect(report.calls[`closed unary ${kind}`]).to.deep.equal({ refused: 'TypeError: Failed to fetch' })
    }
  })
})
