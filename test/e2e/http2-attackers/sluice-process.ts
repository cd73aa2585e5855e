// @ts-expect-error: plain JavaScript, since the launcher runs on any Node
import { nodeFlags } from '../../../packages/sluice/bin/node-flags.js'
import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import type { Sample, ToSluice } from './sluice-child.ts'

/** The rates of slow clients are averaged over this. */
const rateWindowMs = 500

/** Sluice in a process of its own. */
export class SluiceProcess {
  readonly #child: ChildProcess
  #asked: Promise<unknown> = Promise.resolve()
  #first!: Sample

  private constructor(child: ChildProcess) {
    this.#child = child
  }

  static async start(config: Readonly<Record<string, unknown>>): Promise<SluiceProcess> {
    // Lent bytes that are overwritten cost time, which is measured here.
    const { SLUICE_POISON: _, ...env } = process.env
    const child = fork(join(import.meta.dirname, 'sluice-child.ts'), {
      execArgv: [...(nodeFlags as string[]), '--conditions=@sluice/source', '--throw-deprecation'],
      env,
    })
    const one = new SluiceProcess(child)
    one.#first = await one.#ask({ kind: 'start', config, rateWindowMs })
    return one
  }

  port(listener: string): number {
    return this.#first.ports[listener]!
  }

  sample(): Promise<Sample> {
    return this.#ask({ kind: 'sample' })
  }

  /** Ends it; gives what is left of it then. */
  async close(): Promise<Sample> {
    const exited = new Promise<number | null>((resolve) => this.#child.once('exit', resolve))
    const last = await this.#ask({ kind: 'close' })
    const code = await exited
    if (code !== 0) throw new Error(`the process of Sluice ended with ${code}`)
    return last
  }

  /** Questions take turns: answers come in their order. */
  #ask(message: ToSluice): Promise<Sample> {
    const answer = this.#asked.then(() => this.#askNow(message))
    this.#asked = answer.catch(() => undefined)
    return answer
  }

  #askNow(message: ToSluice): Promise<Sample> {
    return new Promise((resolve, reject) => {
      const failed = (code: number | null): void => reject(new Error(`the process of Sluice ended with ${code}`))
      this.#child.once('exit', failed)
      this.#child.once('message', (sample: Sample) => {
        this.#child.off('exit', failed)
        resolve(sample)
      })
      this.#child.send(message)
    })
  }
}
