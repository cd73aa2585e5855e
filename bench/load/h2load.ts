import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { percentile } from '../measure.ts'
import { commandPath } from '../tools.ts'
import { type Latency, type Load, type LoadResult, runOnLoadCore } from './load.ts'

/** One kind of gRPC call, made again and again on every stream. */
export interface H2loadCall {
  path: string
  connections: number
  /** Calls under way at once on each connection. */
  streams: number
  /** The framed message that each call sends. */
  message: string
  /** What the body of a response must have at least, so that a truncated one is noticed. */
  responseBytes: number
}

/** h2load with one thread: closed loop, HTTP/2 by prior knowledge. */
export function h2load({ path, connections, streams, message, responseBytes }: H2loadCall): Load {
  return async (port, seconds, signal) => {
    const directory = mkdtempSync(join(tmpdir(), 'sluice-bench-h2load-'))
    const body = join(directory, 'body')
    const log = join(directory, 'calls')
    writeFileSync(body, message)
    try {
      const command = [commandPath('h2load') ?? 'h2load', '-t1', `-c${connections}`, `-m${streams}`, `-D${seconds}`]
      const call = ['-d', body, '-H', 'content-type: application/grpc', '-H', 'te: trailers', '--log-file', log]
      const output = await runOnLoadCore([...command, ...call, `http://127.0.0.1:${port}${path}`], signal)
      return { ...readOutput(output, responseBytes), latency: latencyOf(readFileSync(log, 'latin1')) }
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  }
}

function readOutput(output: string, responseBytes: number): Omit<LoadResult, 'latency'> {
  const duration = /^finished in ([\d.]+)(us|ms|s),/m.exec(output)
  const calls = /^requests: .* (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout/m.exec(output)
  const good = /^status codes: (\d+) 2xx/m.exec(output)
  const traffic = /^traffic: \S+ \((\d+)\) total, .* \((\d+)\) data/m.exec(output)
  if (duration === null || calls === null || good === null || traffic === null) {
    throw new Error(`h2load gave no result: ${output.trim().split('\n').at(-1)}`)
  }
  const [done, succeeded, failed, errored, timeout] = calls.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
  ]
  const invalid = complaint([
    [done === 0, 'nothing was answered'],
    [failed > 0, `${failed} calls failed`],
    [errored > 0, `${errored} calls ended with an error`],
    [timeout > 0, `${timeout} calls timed out`],
    // The status of a call that is not done at the end may be counted already.
    [succeeded < done || Number(good[1]) < done, `only ${good[1]} of ${done} responses were 2xx`],
    [Number(traffic[2]) < done * responseBytes, 'responses were shorter than the backend sends them'],
  ])
  const unit = { us: 1e-6, ms: 1e-3, s: 1 }[duration[2] as 'us' | 'ms' | 's']
  return {
    requests: succeeded,
    seconds: Number(duration[1]) * unit,
    bytes: Number(traffic[1]),
    ...(invalid === undefined ? {} : { invalid }),
  }
}

function complaint(faults: readonly (readonly [is: boolean, what: string])[]): string | undefined {
  const told = faults.filter(([is]) => is).map(([, what]) => what)
  return told.length === 0 ? undefined : told.join(', ')
}

/** From the log of the calls, a line each: when it began, its status, and how many microseconds it took. */
function latencyOf(log: string): Latency {
  const times = Float64Array.from(
    log
      .trimEnd()
      .split('\n')
      .map((line) => Number(line.slice(line.lastIndexOf('\t') + 1))),
  ).sort()
  return {
    p50: percentile(times, 0.5),
    p99: percentile(times, 0.99),
    p999: percentile(times, 0.999),
    max: percentile(times, 1),
  }
}
