import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pinnedCommand } from './cores.ts'
import { processTree } from './measure.ts'

/** A reason why a candidate or a case cannot run here, as one line for people. */
export class Unavailable extends Error {}

/** How a process is started. */
export interface Launch {
  name: string
  command: string
  args: string[]
  /** The core it is pinned to. Undefined: it takes what it gets. */
  core: number | undefined
  /** The port whose first accepted connection says that it is ready. */
  port: number
  env?: Record<string, string>
}

/** A process that a stage has started and will end. */
export interface Running {
  readonly name: string
  readonly pid: number
  readonly port: number
  /** True once the process has ended, wanted or not. */
  readonly ended: () => boolean
  /** The last lines that it wrote to stderr or stdout. */
  readonly lastWords: () => string
}

interface Entry {
  child: ChildProcess
  ended: boolean
}

const readyTimeoutMs = 15_000
const stopTimeoutMs = 3_000

/** All processes and files of one case, ended and removed together. Processes are ended by their process id. */
export class Stage {
  readonly directory = mkdtempSync(join(tmpdir(), 'sluice-bench-'))
  readonly #entries: Entry[] = []
  #closed = false
  readonly #onExit = () => this.#killNow()

  constructor() {
    process.once('exit', this.#onExit)
  }

  /** An empty directory of one process. */
  directoryFor(name: string): string {
    const path = join(this.directory, name.replaceAll(/[^\w.+-]/g, '_'))
    mkdirSync(path, { recursive: true })
    return path
  }

  /** Starts a process and waits until its port accepts. Rejects with {@link Unavailable} when it does not come up. */
  async start({ name, command, args, core, port, env }: Launch): Promise<Running> {
    const [file, ...rest] = core === undefined ? [command, ...args] : pinnedCommand(core, [command, ...args])
    const child = spawn(file!, rest, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NODE_ENV: 'production', ...env },
      cwd: this.directory,
    })
    const entry: Entry = { child, ended: false }
    this.#entries.push(entry)
    let said = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        said = (said + text).slice(-4_000)
      })
    }
    child.once('exit', () => {
      entry.ended = true
    })
    child.once('error', (error) => {
      entry.ended = true
      said += error.message
    })
    const lastWords = () => tellingLine(said)
    const deadline = Date.now() + readyTimeoutMs
    while (!(await accepts(port))) {
      if (entry.ended) throw new Unavailable(`${name} ended at its start: ${lastWords()}`)
      if (Date.now() > deadline) throw new Unavailable(`${name} did not listen on ${port} within 15 s: ${lastWords()}`)
      await sleep(30)
    }
    return { name, pid: child.pid!, port, ended: () => entry.ended, lastWords }
  }

  /** Ends everything: SIGTERM, and SIGKILL for what is still there after 3 s. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    const living = this.#entries.filter((entry) => !entry.ended && entry.child.pid !== undefined)
    const trees = living.map((entry) => processTree(entry.child.pid!))
    for (const entry of living) entry.child.kill('SIGTERM')
    const deadline = Date.now() + stopTimeoutMs
    while (living.some((entry) => !entry.ended) && Date.now() < deadline) await sleep(20)
    for (const [at, entry] of living.entries()) {
      if (entry.ended) continue
      for (const pid of trees[at]!) kill(pid)
    }
    this.#remove()
  }

  /** The way out when there is no time to wait (the process itself exits). */
  #killNow(): void {
    for (const entry of this.#entries) {
      if (entry.ended || entry.child.pid === undefined) continue
      for (const pid of processTree(entry.child.pid)) kill(pid)
    }
    this.#remove()
  }

  #remove(): void {
    process.removeListener('exit', this.#onExit)
    rmSync(this.directory, { recursive: true, force: true })
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself in the meantime.
  }
}

/** The line that says most: a thrown error's message, else the first that speaks of an error, else the last. */
function tellingLine(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  const thrown = lines.find((line) => /^\w*Error\b/.test(line))
  const told = thrown ?? lines.find((line) => /error|emerg|alert|fatal|cannot|failed/i.test(line))
  return (told ?? lines.at(-1) ?? '(it said nothing)').trim()
}

/** A TCP port on 127.0.0.1 that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as { port: number }
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
  })
  return port
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
