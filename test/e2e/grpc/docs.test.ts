// What docs/grpc.md and the README say of gRPC is so.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { answers, type ErrorCode, errorCodes } from '@sluice/core'
import { statusCode } from '@sluice/grpc'
import { expect } from 'chai'
import { sluice } from '../../../packages/sluice/test/support/command.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const text = (name: string) => readFileSync(`${root}${name}`, 'utf8')

describe('docs/grpc.md', () => {
  const page = text('docs/grpc.md')

  it('has every code with its status, and says where waiting helps', () => {
    const told: string[] = []
    for (const [, codes, status] of page.matchAll(/^\| (`\w+`(?:, `\w+`)*) \| (\d+ [A-Z_]+.*) \|$/gm)) {
      for (const code of codes!.replaceAll('`', '').split(', ') as ErrorCode[]) {
        told.push(code)
        const { grpc, retryAfter } = answers[code]
        const name = Object.entries(statusCode).find(([, number]) => number === grpc)![0]
        expect(status, code).to.match(new RegExp(`^${grpc} ${name}\\b`))
        expect(status!.includes('grpc-retry-pushback-ms'), code).to.equal(retryAfter)
      }
    }
    expect(told).to.have.members(errorCodes)
  })

  it('shows the example as it is in examples/', () => {
    const [, ...lines] = text('examples/grpc.yaml').split('\n')
    for (const shown of ['docs/grpc.md', 'README.md']) {
      expect(text(shown), shown).to.include(`# examples/grpc.yaml\n${lines.join('\n')}\`\`\``)
    }
  })

  it('shows an example that `sluice check` finds right', async () => {
    const command = sluice(['check', 'examples/grpc.yaml'], { cwd: root })
    expect(await command.exit, command.stderr).to.equal(0)
  })
})
