import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { answers, errorCodes, families, parseConfig } from '@sluice/core'
import { expect } from 'chai'
import { configurationPage } from '../../scripts/configuration-page.ts'

const file = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url))
const text = (name: string) => readFileSync(file(name), 'utf8')

describe('the pages in docs/', () => {
  it('configuration.md is what the schema says', () => {
    expect(text('docs/configuration.md')).to.equal(configurationPage())
  })

  it('errors.md lists every code with its answers', () => {
    const page = text('docs/errors.md')
    for (const code of errorCodes) {
      const { http, retryAfter, websocket, tcp, source } = answers[code]
      const status =
        code === 'clientGone' ? '499 (log and metrics only)' : `${http}${retryAfter ? ' + Retry-After' : ''}`
      expect(page).to.include(`| \`${code}\` | ${status} | ${websocket ?? '–'} | ${tcp} | ${source} |`)
    }
    expect(page.match(/^\| `/gm)).to.have.length(errorCodes.length)
  })

  it('metrics.md lists every metric', () => {
    const page = text('docs/metrics.md')
    for (const { name } of Object.values(families)) expect(page).to.include(`\`${name}\``)
  })

  it('links lead to files that are there', () => {
    for (const page of ['README.md', 'docs/life-of-an-exchange.md', 'docs/errors.md', 'docs/metrics.md']) {
      for (const [, target] of text(page).matchAll(/\]\(([^)#:]+)\)/g)) {
        const base = page.includes('/') ? 'docs/' : ''
        expect(() => text(`${base}${target}`), `${page} → ${target}`).not.to.throw()
      }
    }
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
