import { spawn } from 'node:child_process'
import { loadCore, pinnedCommand } from '../cores.ts'

/** Times in microseconds. */
export interface Latency {
  p50: number
  p99: number
  p999: number
  max: number
}

/** What one run of a load generator has seen. */
export interface LoadResult {
  /** Units that were answered: requests, downloads or messages. */
  requests: number
  seconds: number
  bytes: number
  latency: Latency
  /** The same without the time that the backend says it took. */
  withoutBackend?: Latency
  /** Why the run does not count, if it does not. */
  invalid?: string
}

/** A load generator against one port. */
export type Load = (port: number, seconds: number, signal: AbortSignal) => Promise<LoadResult>

/** Runs a command on the load core and resolves with its stdout. */
export function runOnLoadCore(command: string[], signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const [file, ...args] = pinnedCommand(loadCore, command)
    const child = spawn(file!, args, { stdio: ['ignore', 'pipe', 'pipe'], signal, killSignal: 'SIGKILL' })
    let output = ''
    let complaint = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint += text
    })
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0) resolve(output)
      else
        reject(new Error(`the load generator ended with ${code}: ${(complaint || output).trim().split('\n').at(-1)}`))
    })
  })
}

/** A load generator of ours: a script that prints one {@link LoadResult} as JSON, run on this same Node. */
export function scriptLoad(script: URL, args: readonly string[] = []): Load {
  return async (port, seconds, signal) =>
    JSON.parse(
      await runOnLoadCore([process.execPath, script.pathname, String(port), String(seconds), ...args], signal),
    ) as LoadResult
}
