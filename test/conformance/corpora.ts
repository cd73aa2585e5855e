import { spawn } from 'node:child_process'
import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { join } from 'node:path'

const corpora = process.env['SLUICE_CORPORA'] ?? join(import.meta.dirname, '../../../shared/corpora')

/** The rows of a corpus that nobody here wrote (CONFORMANCE.md), or `undefined` where it is absent. */
export function corpusRows<Row>(name: string): Row[] | undefined {
  const file = join(corpora, name, 'cases.jsonl')
  if (!existsSync(file)) return undefined
  return readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Row)
}

/** A runner that lies beside the corpora, or `undefined` where it is absent. */
export function corpusTool(name: string): string | undefined {
  const file = join(corpora, '..', 'tools', name)
  // A runner tells by its real path whether it was started as a program.
  return existsSync(file) ? realpathSync(file) : undefined
}

/** Skips the present test and says why. */
export function skipWithoutCorpus(test: Mocha.Context, name: string): never {
  console.log(`      skipped: ${name} is absent in ${corpora} (set SLUICE_CORPORA)`)
  return test.skip()
}

/** Runs a runner to its end; gives its exit code and what it printed. */
export function runTool(file: string, args: readonly string[]): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, output }))
  })
}

/** Counts cases by category, for one printed line. */
export class CategoryCount {
  readonly #counts = new Map<string, number>()
  total = 0

  add(category: string): void {
    this.total++
    this.#counts.set(category, (this.#counts.get(category) ?? 0) + 1)
  }

  print(title: string): void {
    const list = [...this.#counts].map(([category, count]) => `${category} ${count}`)
    console.log(`      ${title}, ${this.total} cases: ${list.join(', ')}`)
  }
}
