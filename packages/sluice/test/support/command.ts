import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { eventually } from '../../../testkit/src/raw/index.ts'

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
export const launcher = fileURLToPath(new URL('../../bin/sluice.js', import.meta.url))

/** A `sluice` command that runs, or has run, in a process of its own. */
export class Command {
  readonly child: ChildProcess
  /** The exit code, or the signal that ended it. */
  readonly exit: Promise<number | string>
  stdout = ''
  stderr = ''

  constructor(file: string, args: readonly string[], options: SpawnOptions = {}) {
    this.child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options })
    this.child.stdout!.on('data', (text) => (this.stdout += String(text)))
    this.child.stderr!.on('data', (text) => (this.stderr += String(text)))
    this.exit = once(this.child, 'close').then(([code, signal]) => (code ?? signal) as number | string)
  }

  /** The lines of the process log and the access log, so far. */
  get lines(): Array<Record<string, unknown>> {
    return this.stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  }

  /** Resolves with the first log line with such a message. */
  async says(message: RegExp): Promise<Record<string, unknown>> {
    return await eventually(
      () => {
        if (this.child.exitCode !== null) throw new Error(`it exited with ${this.child.exitCode}: ${this.stderr}`)
        return this.lines.find(({ msg }) => typeof msg === 'string' && message.test(msg)) ?? false
      },
      { what: `a line ${message}` },
    ).then((line) => line as Record<string, unknown>)
  }

  /** The port that a listener, or `admin`, got. */
  async port(listener: string): Promise<number> {
    const { address } = await this.says(new RegExp(`^${listener} listens on`))
    return Number(String(address).split(':').at(-1))
  }
}

/** Starts `sluice` with these words, on the Node of the tests. */
export function sluice(args: readonly string[], options: SpawnOptions = {}): Command {
  const env = { ...process.env, NO_COLOR: '1', ...options.env }
  return new Command(process.execPath, ['--conditions=@sluice/source', main, ...args], { ...options, env })
}

/** Runs `use` with a directory of its own, with these files in it. */
export async function withFiles<T>(
  files: Readonly<Record<string, string>>,
  use: (directory: string) => Promise<T>,
): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-test-'))
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text)
    return await use(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
