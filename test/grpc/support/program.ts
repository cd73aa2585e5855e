import { spawn, spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Where a program lies on the PATH, or `undefined`. */
export function findProgram(name: string): string | undefined {
  for (const dir of (process.env.PATH ?? '').split(delimiter)) {
    const file = join(dir, name)
    try {
      accessSync(file, constants.X_OK)
      return file
    } catch {
      // the next one
    }
  }
  return undefined
}

/** A Python that has these modules: the system's, whose packages are Debian's, rather than one of the user's own. */
export function findPython(...modules: readonly string[]): string | undefined {
  for (const python of ['/usr/bin/python3', findProgram('python3')]) {
    if (python !== undefined && spawnSync(python, ['-c', `import ${modules.join(', ')}`]).status === 0) return python
  }
  return undefined
}

/** Skips the present suite or test, and says what is absent. */
export function skipWithout(test: Mocha.Context, what: string): never {
  console.log(`      skipped: ${what} is not on this machine`)
  return test.skip()
}

/** What a program has done. */
export interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program to its end. */
export function run(program: string, args: readonly string[], timeoutMs = 60_000): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: timeoutMs })
    const stdout: Buffer[] = []
    const stderr: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
    child.once('error', reject)
    child.once('close', (code) => {
      resolve({ code, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() })
    })
  })
}
