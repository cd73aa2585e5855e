// @ts-expect-error: plain JavaScript, since the launcher runs on any Node
import { nodeFlags } from '../../packages/sluice/bin/node-flags.js'
import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import type { ConfigInput } from '../../packages/sluice/src/index.ts'
import type { Report, ToChild } from './proxy-child.ts'

/** How the links of a proxy are built. */
export interface LinkMode {
  readonly name: string
  readonly env: Readonly<Record<string, string>>
}

/** As they are, with lent bytes overwritten after every callback, and the plain way. */
export const linkModes: readonly LinkMode[] = [
  { name: 'owned buffers', env: {} },
  { name: 'poisoned buffers', env: { SLUICE_POISON: '1' } },
  { name: 'plain links', env: { SLUICE_LINK: 'plain' } },
]

/** A proxy in a process of its own. */
export class ProxyProcess {
  readonly #child: ChildProcess
  #first!: Report

  private constructor(child: ChildProcess) {
    this.#child = child
  }

  static async start(config: unknown, mode: LinkMode): Promise<ProxyProcess> {
    const { SLUICE_LINK: _link, SLUICE_POISON: _poison, ...env } = process.env
    const child = fork(join(import.meta.dirname, 'proxy-child.ts'), {
      execArgv: [...nodeFlags, '--conditions=@sluice/source', '--expose-gc', '--throw-deprecation'],
      env: { ...env, ...mode.env },
    })
    const one = new ProxyProcess(child)
    one.#first = await one.#ask({ kind: 'start', config: config as ConfigInput })
    return one
  }

  /** What it told when it had started. */
  get first(): Report {
    return this.#first
  }

  port(listener: string): number {
    return this.#first.addresses[listener]!.port
  }

  report(): Promise<Report> {
    return this.#ask({ kind: 'report' })
  }

  async close(): Promise<void> {
    const exited = new Promise<number | null>((resolve) => this.#child.once('exit', resolve))
    this.#child.send({ kind: 'close' } satisfies ToChild)
    const code = await exited
    if (code !== 0) throw new Error(`the proxy's process ended with ${code}`)
  }

  #ask(message: ToChild): Promise<Report> {
    return new Promise((resolve, reject) => {
      const failed = (code: number | null): void => reject(new Error(`the proxy's process ended with ${code}`))
      this.#child.once('exit', failed)
      this.#child.once('message', (report: Report) => {
        this.#child.off('exit', failed)
        resolve(report)
      })
      this.#child.send(message)
    })
  }
}
