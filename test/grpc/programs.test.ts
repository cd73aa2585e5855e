import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import {
  type Backend,
  type GrpcBackend,
  startGrpcBackend,
  startHttp2Backend,
  startHttpBackend,
} from '../../packages/backends/src/index.ts'
import { Authority } from '../e2e/support/certificates.ts'
import { findProgram, type Ran, run, skipWithout } from './support/program.ts'
import { type Passage, type Passenger, ways } from './support/way.ts'

const mebibyte = 1_048_576

/** What stands behind: the direct way knows HTTP/2 alone. */
const upstreams = [
  { name: 'HTTP/2', speaks: 'h2c', start: startHttp2Backend },
  { name: 'HTTP/1.1', speaks: 'http', start: startHttpBackend },
] as const

/** Runs a program that must be here, and must succeed. */
async function must(program: string, args: readonly string[]): Promise<Ran> {
  const ran = await run(program, args)
  expect(ran.code, `${program} ${args.join(' ')}\n${ran.stderr}${ran.stdout.slice(0, 2_000)}`).to.equal(0)
  return ran
}

for (const way of ways.filter(({ protocol }) => protocol !== 'grpc')) {
  for (const { name, speaks, start } of upstreams) {
    if (way.protocol === undefined && speaks === 'http') continue
    for (const scheme of ['http', 'https'] as const) {
      describe(`Clients of HTTP/2 over ${scheme}, ${way.name} to ${name}`, () => {
        let authority: Authority
        let backend: Backend
        let passage: Passage
        let base: string
        let bodyFile: string
        let dir: string

        before(async () => {
          authority = new Authority()
          dir = mkdtempSync(join(tmpdir(), 'sluice-programs-'))
          bodyFile = join(dir, 'body')
          writeFileSync(bodyFile, Buffer.alloc(mebibyte, 'x'))
          const tls = scheme === 'https' ? authority.issue('listener') : undefined
          backend = await start(way.protocol === undefined && tls !== undefined ? { tls } : {})
          const passenger: Passenger = { speaks, ...(tls === undefined ? {} : { tls }) }
          passage = await way.to([backend], passenger)
          base = `${scheme}://localhost:${passage.port}`
        })

        afterEach(() => passage.stage?.settled())

        after(async () => {
          await passage.close()
          await backend.close()
          authority.remove()
          rmSync(dir, { recursive: true })
        })

        it('nghttp downloads, uploads and reads trailers', async function () {
          const nghttp = findProgram('nghttp') ?? skipWithout(this, 'nghttp')
          const down = await must(nghttp, [`${base}/bytes/1000000`])
          expect(down.stdout.length).to.equal(1_000_000)
          const up = await must(nghttp, [
            '--no-content-length',
            '-d',
            bodyFile,
            '--trailer',
            'x-sent: yes',
            `${base}/hash`,
          ])
          expect(JSON.parse(up.stdout)).to.deep.include({ length: mebibyte, trailers: { 'x-sent': 'yes' } })
          const trailers = await must(nghttp, ['-v', '-n', `${base}/random/1000?framing=chunked`])
          expect(trailers.stdout).to.match(/x-sha256: [0-9a-f]{64}/)
        })

        it('nghttp gets many at once, padded, in small windows', async function () {
          const nghttp = findProgram('nghttp') ?? skipWithout(this, 'nghttp')
          const many = await must(nghttp, ['-n', '-s', '-m', '80', `${base}/bytes/20000`])
          expect(many.stdout.match(/ 200 +19K/g)).to.have.length(80)
          const padded = await must(nghttp, ['-b', '200', '-d', bodyFile, `${base}/hash`])
          expect(JSON.parse(padded.stdout)).to.include({ length: mebibyte })
          const small = await must(nghttp, ['-w', '8', '-W', '8', `${base}/bytes/100000`])
          expect(small.stdout.length).to.equal(100_000)
        })

        it('nghttp sees informational answers', async function () {
          const nghttp = findProgram('nghttp') ?? skipWithout(this, 'nghttp')
          const { stdout } = await must(nghttp, ['-v', '-n', `${base}/informational?n=2`])
          expect(stdout.match(/:status: 103/g)).to.have.length(2)
          const expecting = await must(nghttp, ['--expect-continue', '-d', bodyFile, `${base}/hash`])
          expect(JSON.parse(expecting.stdout)).to.include({ length: mebibyte })
        })

        for (const [what, path, args] of [
          ['small answers', '/bytes/100', ['-n', '1000', '-c', '10', '-m', '20']],
          ['large answers', '/bytes/300000', ['-n', '40', '-c', '4', '-m', '10', '-w', '12', '-W', '13']],
        ] as const) {
          it(`h2load gets ${what} without a failure`, async function () {
            const h2load = findProgram('h2load') ?? skipWithout(this, 'h2load')
            const { stdout } = await must(h2load, [...args, `${base}${path}`])
            expect(stdout).to.include(`${args[1]} succeeded, 0 failed, 0 errored, 0 timeout`)
            expect(stdout).to.include(`${args[1]} 2xx, 0 3xx, 0 4xx, 0 5xx`)
          })
        }

        it('h2load uploads without a failure', async function () {
          const h2load = findProgram('h2load') ?? skipWithout(this, 'h2load')
          const { stdout } = await must(h2load, ['-n', '40', '-c', '2', '-m', '10', '-d', bodyFile, `${base}/hash`])
          expect(stdout).to.include('40 succeeded, 0 failed, 0 errored, 0 timeout')
          expect(stdout).to.include('40 2xx, 0 3xx, 0 4xx, 0 5xx')
        })

        it('curl speaks HTTP/2 by prior knowledge or by ALPN', async function () {
          const curl = findProgram('curl') ?? skipWithout(this, 'curl')
          const version = scheme === 'https' ? '--http2' : '--http2-prior-knowledge'
          const common = ['-sS', '--cacert', authority.caFile, version]
          const format = '%{http_version} %{response_code} %{size_download}'
          const down = ['-o', '/dev/null', '-w', format, `${base}/bytes/70000`]
          expect((await must(curl, [...common, ...down])).stdout).to.equal('2 200 70000')
          const up = await must(curl, [...common, '-H', 'expect:', '--data-binary', `@${bodyFile}`, `${base}/hash`])
          expect(JSON.parse(up.stdout)).to.include({ length: mebibyte })
          // curl 7.88 cannot use a connection twice that it knows to be HTTP/2 without ALPN.
          if (scheme === 'http') return
          const several = Array.from({ length: 20 }, (_, i) => `${base}/hello/${i}`)
          const parallel = await must(curl, [...common, '-Z', ...several])
          expect(parallel.stdout.match(/"path": "\/hello\/\d+"/g)).to.have.length(20)
        })

        if (scheme === 'http' && way.protocol !== undefined) {
          it('curl asks to upgrade, and is served by HTTP/1.1', async function () {
            const curl = findProgram('curl') ?? skipWithout(this, 'curl')
            const { stdout } = await must(curl, [
              '-sS',
              '--http2',
              '-o',
              '/dev/null',
              '-w',
              '%{http_version} %{response_code}',
              `${base}/hello`,
            ])
            expect(stdout).to.equal('1.1 200')
          })
        }
      })
    }
  }
}

for (const way of ways) {
  describe(`Clients of HTTP/2 that call gRPC, ${way.name}`, () => {
    let backend: GrpcBackend
    let passage: Passage
    let dir: string

    before(async () => {
      dir = mkdtempSync(join(tmpdir(), 'sluice-programs-'))
      backend = await startGrpcBackend()
      passage = await way.to([backend])
    })

    after(async () => {
      await passage.close()
      await backend.close()
      rmSync(dir, { recursive: true })
    })

    it('h2load makes 2,000 calls, each with its trailers', async function () {
      const h2load = findProgram('h2load') ?? skipWithout(this, 'h2load')
      const body = join(dir, 'message')
      writeFileSync(body, Buffer.from([0, 0, 0, 0, 7, 0x0a, 5, ...Buffer.from('hello')]))
      const fields = ['-H', 'content-type: application/grpc', '-H', 'te: trailers']
      const url = `http://127.0.0.1:${passage.port}/sluice.test.v1.Echo/Unary`
      const { stdout } = await must(h2load, ['-n', '2000', '-c', '8', '-m', '16', '-d', body, ...fields, url])
      expect(stdout).to.include('2000 succeeded, 0 failed, 0 errored, 0 timeout')
      expect(stdout).to.include('2000 2xx, 0 3xx, 0 4xx, 0 5xx')
      expect(backend.stats()).to.include({ total: 2_000, aborted: 0 })
    })
  })
}
