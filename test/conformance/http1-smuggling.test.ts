// HTTP/1.1 requests that nobody here wrote, through a running proxy: the runner is the client and the upstream.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { createProxy } from '../../packages/sluice/src/index.ts'
import { CategoryCount, corpusRows, corpusTool, runTool, skipWithoutCorpus } from './corpora.ts'

interface Case {
  readonly id: string
  readonly category: string
}

interface Verdict extends Case {
  readonly pass: boolean
  readonly soft: boolean
  readonly silent: boolean
  readonly expect: string
  readonly level: string
  readonly outcome: string
  readonly statuses: number[]
  readonly bad: string[]
}

/** The runner takes one case after another and waits after each; several of them at once are quicker. */
const runners = 6

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

async function runShare(tool: string, folder: string, index: number, cases: readonly Case[]): Promise<Verdict[]> {
  const file = join(folder, `cases-${index}.jsonl`)
  const out = join(folder, `verdicts-${index}.jsonl`)
  writeFileSync(file, `${cases.map((one) => JSON.stringify(one)).join('\n')}\n`)
  const upstreamPort = await freePort()
  const faults: unknown[] = []
  const proxy = await createProxy(
    {
      listeners: { web: { bind: '127.0.0.1:0', protocol: 'http', upstream: `http://127.0.0.1:${upstreamPort}` } },
    },
    { onFault: (fault) => faults.push(fault) },
  )
  await proxy.listen()
  const { web } = proxy.addresses
  if (web === undefined || !('port' in web)) throw new Error('not bound to a port')
  try {
    const { output } = await runTool(tool, [
      '--proxy',
      `127.0.0.1:${web.port}`,
      '--backend-port',
      String(upstreamPort),
      '--cases',
      file,
      '--out',
      out,
      '--strict',
    ])
    expect(faults, output).to.deep.equal([])
    return readFileSync(out, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Verdict)
  } finally {
    await proxy.close()
  }
}

describe('HTTP/1.1 requests through a running proxy', () => {
  it('agrees with http1-smuggling: none failed, none lenient, none refused by silence', async function () {
    this.timeout(60_000)
    const cases = corpusRows<Case>('http1-smuggling')
    const tool = corpusTool('run_http1_cases.mjs')
    if (cases === undefined || tool === undefined) return skipWithoutCorpus(this, 'http1-smuggling')
    const folder = mkdtempSync(join(tmpdir(), 'sluice-http1-'))
    const shares = Array.from({ length: runners }, (_, share) => cases.filter((_case, i) => i % runners === share))
    let verdicts: Verdict[]
    try {
      verdicts = (await Promise.all(shares.map((share, i) => runShare(tool, folder, i, share)))).flat()
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
    const count = new CategoryCount()
    for (const { category } of verdicts) count.add(category)
    count.print('http1-smuggling')
    expect(verdicts).to.have.length(cases.length)
    expect(
      verdicts.filter(({ pass }) => !pass),
      'failed or lenient',
    ).to.deep.equal([])
    expect(
      verdicts.filter(({ silent }) => silent),
      'refused by silence',
    ).to.deep.equal([])
  })
})
