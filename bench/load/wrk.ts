import { fileURLToPath } from 'node:url'
import { commandPath } from '../tools.ts'
import { type Load, runOnLoadCore } from './load.ts'

const script = fileURLToPath(new URL('wrk.lua', import.meta.url))

/** One kind of request, sent again and again on every connection. */
export interface WrkRequest {
  path: string
  connections: number
  /** Default: GET. */
  method?: string
  /** Default: 0, no body. */
  bodyBytes?: number
  /** What a response must have at least, so that a truncated one is noticed. */
  responseBytes: number
}

/** What load/wrk.lua prints. */
interface WrkOutput {
  requests: number
  durationUs: number
  bytes: number
  p50: number
  p99: number
  p999: number
  max: number
  status: number
  connect: number
  read: number
  write: number
  timeout: number
}

/** wrk with one thread: closed loop, keep-alive. */
export function wrk({ path, connections, method = 'GET', bodyBytes = 0, responseBytes }: WrkRequest): Load {
  return async (port, seconds, signal) => {
    const command = [
      commandPath('wrk') ?? 'wrk',
      '-t1',
      `-c${connections}`,
      `-d${seconds}s`,
      '--timeout',
      '10s',
      '-s',
      script,
    ]
    const output = await runOnLoadCore(
      [...command, `http://127.0.0.1:${port}${path}`, '--', method, String(bodyBytes)],
      signal,
    )
    const line = /^RESULT (.*)$/m.exec(output)?.[1]
    if (line === undefined) throw new Error(`wrk gave no result: ${output.trim().split('\n').at(-1)}`)
    const seen = JSON.parse(line) as WrkOutput
    const invalid = complaint(seen, responseBytes)
    return {
      requests: seen.requests,
      seconds: seen.durationUs / 1e6,
      bytes: seen.bytes,
      latency: { p50: seen.p50, p99: seen.p99, p999: seen.p999, max: seen.max },
      ...(invalid === undefined ? {} : { invalid }),
    }
  }
}

function complaint(seen: WrkOutput, responseBytes: number): string | undefined {
  if (seen.requests === 0) return 'nothing was answered'
  const faults = [
    [seen.status, 'responses were not 2xx or 3xx'],
    [seen.connect, 'connects failed'],
    [seen.read, 'reads failed'],
    [seen.write, 'writes failed'],
    [seen.timeout, 'requests timed out'],
  ] as const
  const told = faults.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`)
  if (told.length > 0) return told.join(', ')
  if (seen.bytes < seen.requests * responseBytes) return 'responses were shorter than the backend sends them'
  return undefined
}
