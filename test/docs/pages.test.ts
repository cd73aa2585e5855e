import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { answers, errorCodes, families, parseConfig } from '@sluice/core'
import { expect } from 'chai'
import { createProxy } from 'sluice'
import { parseOptions } from '../../bench/options.ts'
import { configurationPage } from '../../scripts/configuration-page.ts'
import { statusName } from '@sluice/grpc'

const file = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url))
const text = (name: string) => readFileSync(file(name), 'utf8')

const pages = [
  'README.md',
  'bench/README.md',
  ...readdirSync(file('docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]

/** The files of the repository that a page links to. */
const linked = (page: string): string[] =>
  [...text(page).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map(([, target]) => join(dirname(page), target!))

describe('the pages in docs/', () => {
  it('configuration.md is what the schema says', () => {
    expect(text('docs/configuration.md')).to.equal(configurationPage())
  })

  it('errors.md lists every code with its answers', () => {
    const page = text('docs/errors.md')
    for (const code of errorCodes) {
      const { http, grpc, retryAfter, websocket, tcp, source } = answers[code]
      const call = `${grpc} ${statusName(grpc)}`
      const status =
        code === 'clientGone' ? '499 (log and metrics only)' : `${http}${retryAfter ? ' + Retry-After' : ''}`
      expect(page).to.include(`| \`${code}\` | ${status} | ${call} | ${websocket ?? '–'} | ${tcp} | ${source} |`)
    }
    expect(page.match(/^\| `/gm)).to.have.length(errorCodes.length)
  })

  it('metrics.md lists every metric', () => {
    const page = text('docs/metrics.md')
    for (const { name } of Object.values(families)) expect(page).to.include(`\`${name}\``)
  })

  it('metrics.md lists everything that a running proxy shows at /metrics', async () => {
    const proxy = await createProxy({
      admin: { bind: '127.0.0.1:0' },
      listeners: { web: { bind: '127.0.0.1:0', protocol: 'http', upstream: 'app', gate: { limit: 1 } } },
      upstreams: { app: { endpoints: ['127.0.0.1:1'] } },
    })
    await proxy.listen()
    try {
      const { port } = proxy.adminAddress as { port: number }
      const response = await fetch(`http://127.0.0.1:${port}/metrics`, { headers: { connection: 'close' } })
      const names = [...(await response.text()).matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name!)
      expect(names.length).to.be.greaterThan(Object.keys(families).length)
      const page = text('docs/metrics.md')
      expect(names.filter((name) => !page.includes(`\`${name}\``))).to.deep.equal([])
    } finally {
      await proxy.close()
    }
  })

  it('links lead to files that are there', () => {
    for (const page of pages) {
      for (const target of linked(page)) expect(() => text(target), `${page} → ${target}`).not.to.throw()
    }
  })

  it('are not empty where a link leads to them', () => {
    const empty = pages.flatMap(linked).filter((target) => text(target).trim() === '')
    expect([...new Set(empty)]).to.deep.equal([])
  })

  it('have no placeholder in place of a paragraph', () => {
    const left = pages.flatMap((page) =>
      [...text(page).matchAll(/^\W*([A-Z][A-Z_]{2,})\W*$/gm)].map(([, word]) => `${page}: ${word}`),
    )
    expect(left).to.deep.equal([])
  })
})

describe('bench/README.md', () => {
  it('shows commands that the bench understands', () => {
    const commands = [...text('bench/README.md').matchAll(/npm run bench(?: --)?([^#`\n]*)/g)].map(([, words]) =>
      words!.split(' ').filter((word) => word !== ''),
    )
    expect(commands).to.have.length.greaterThan(4)
    for (const words of commands) expect(() => parseOptions(words), words.join(' ')).not.to.throw()
  })
})

describe('the README', () => {
  const readme = text('README.md')

  it('shows the examples as they are in examples/', () => {
    expect(readme).to.include(`# examples/sluice.yaml\n${text('examples/sluice.yaml')}\`\`\``)
    expect(readme).to.include(`// examples/library.ts\n${text('examples/library.ts')}\`\`\``)
  })

  it('shows a configuration that is right', () => {
    const { errors } = parseConfig(text('examples/sluice.yaml'), { file: file('examples/sluice.yaml') })
    expect(errors).to.equal(undefined)
  })

  it('shows a program that runs', async () => {
    const child = spawn(process.execPath, ['--conditions=@sluice/source', file('examples/library.ts')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let output = ''
    child.stdout.on('data', (bytes: Buffer) => (output += bytes))
    const [code] = await once(child, 'exit')
    expect(code).to.equal(0)
    expect(output)
      .to.match(/port: \d+/)
      .and.to.include("id: 'listener:web'")
  })
})
