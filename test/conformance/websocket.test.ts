// WebSocket cases of the Autobahn suite: through Sluice the verdicts are those of the direct run.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { type Backend, startWebSocketBackend } from '../../packages/backends/src/index.ts'
import { createProxy, type Proxy } from '../../packages/sluice/src/index.ts'
import { scale } from '../../packages/testkit/src/scale.ts'
import { corpusRows, corpusTool, runTool, skipWithoutCorpus } from './corpora.ts'

interface Case {
  readonly id: string
  readonly steps: readonly { readonly wait?: number; readonly kill_after?: number; readonly close_after?: number }[]
}

interface Verdict {
  readonly id: string
  readonly behavior: string
  readonly close: string
}

/** In `npm test` what waits long is left out, and of the rest every third case is taken. */
function sample(cases: readonly Case[]): readonly Case[] {
  if (scale() !== 'test') return cases
  return cases.filter(({ steps }, i) => i % 3 === 0 && steps.every(({ wait }) => (wait ?? 0) <= 1))
}

describe('WebSocket through a running proxy', () => {
  let backend: Backend
  let proxy: Proxy
  let folder: string
  const faults: unknown[] = []

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-ws-'))
    backend = await startWebSocketBackend()
    proxy = await createProxy(
      {
        listeners: {
          ws: { bind: '127.0.0.1:0', protocol: 'websocket', upstream: `http://127.0.0.1:${backend.address.port}` },
          web: { bind: '127.0.0.1:0', protocol: 'http', upstream: `http://127.0.0.1:${backend.address.port}` },
        },
      },
      { onFault: (fault) => faults.push(fault) },
    )
    await proxy.listen()
  })

  after(async () => {
    await proxy.close()
    await backend.close()
    rmSync(folder, { recursive: true, force: true })
    expect(faults).to.deep.equal([])
  })

  async function verdicts(tool: string, cases: string, port: number): Promise<Verdict[]> {
    const out = join(folder, `verdicts-${port}.jsonl`)
    await runTool(tool, ['--target', `127.0.0.1:${port}`, '--cases', cases, '--jobs', '48', '--out', out])
    return readFileSync(out, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Verdict)
      .map(({ id, behavior, close }) => ({ id, behavior, close }))
  }

  it('gives the verdicts of the direct run for the cases of autobahn-websocket', async function () {
    this.timeout(120_000)
    const cases = corpusRows<Case>('autobahn-websocket')
    const tool = corpusTool('run_ws_cases.mjs')
    if (cases === undefined || tool === undefined) return skipWithoutCorpus(this, 'autobahn-websocket')
    const chosen = sample(cases)
    const file = join(folder, 'cases.jsonl')
    writeFileSync(file, chosen.map((one) => `${JSON.stringify(one)}\n`).join(''))
    const { ws, web } = proxy.addresses as Record<string, { port: number }>
    const [direct, through, onHttp] = await Promise.all([
      verdicts(tool, file, backend.address.port),
      verdicts(tool, file, ws!.port),
      verdicts(tool, file, web!.port),
    ])
    console.log(`      autobahn-websocket: ${chosen.length} of ${cases.length} cases`)
    expect(direct).to.have.length(chosen.length)
    expect(through).to.deep.equal(direct)
    expect(onHttp).to.deep.equal(direct)
  })
})
