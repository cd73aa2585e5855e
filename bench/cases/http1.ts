import { sluiceWithThreads } from '../candidates/sluice.ts'
import { largeBytes, smallBytes, startNginxBackend } from '../backends/nginx.ts'
import { wrk } from '../load/wrk.ts'
import type { Case } from './case.ts'
import { betterThanNode, timesThatOf } from './goals.ts'

/** A proxy that leaves X-Forwarded-For out has less to do than the others. */
async function addsForwardedFor(port: number): Promise<string | undefined> {
  const response = await fetch(`http://127.0.0.1:${port}/forwarded-for`, { headers: { connection: 'close' } })
  const text = await response.text()
  if (response.status !== 200) return `the first request was answered with ${response.status}`
  return text.includes('127.0.0.1') ? undefined : 'it does not add X-Forwarded-For'
}

const common = {
  unit: 'request',
  traffic: 'http',
  tools: ['taskset', 'nginx', 'wrk'],
  startBackend: startNginxBackend,
  check: addsForwardedFor,
  figure: 'cpu',
  rounds: 5,
} as const satisfies Partial<Case>

/** HTTP/1.1, small requests and responses. */
export const http1: Case = {
  ...common,
  name: 'http1',
  accessLog: true,
  title: 'HTTP/1.1, GET, 100-byte response, 64 keep-alive connections (wrk)',
  load: wrk({ path: '/small', connections: 64, responseBytes: smallBytes }),
  goals: [timesThatOf('nginx', 1.5), betterThanNode(3)],
}

/** What it costs that threads share gates, pools' bounds and a port. */
export const threads: Case = {
  ...common,
  name: 'threads',
  title: 'HTTP/1.1, GET, 100-byte response, 1,024 keep-alive connections (wrk), by data-plane threads',
  load: wrk({ path: '/small', connections: 1_024, responseBytes: smallBytes }),
  candidates: [sluiceWithThreads(1), sluiceWithThreads(2)],
  goals: [
    {
      text: 'two threads ≤ 1.10 × one thread',
      value: ({ rows: [one, two] }) => {
        const [a, b] = [one?.median?.cpu?.total, two?.median?.cpu?.total]
        return a === undefined || b === undefined ? undefined : b / a
      },
      atMost: 1.1,
    },
  ],
}

/** HTTP/1.1 with a small request body. */
export const http1Post: Case = {
  ...common,
  name: 'http1-post',
  title: 'HTTP/1.1, POST of 1 KiB, 100-byte response, 64 keep-alive connections (wrk)',
  load: wrk({ path: '/small', connections: 64, method: 'POST', bodyBytes: 1024, responseBytes: smallBytes }),
  goals: [],
}

/** HTTP/1.1 with a large response. */
export const http1Download: Case = {
  ...common,
  name: 'http1-download',
  title: 'HTTP/1.1, downloads of 1 MiB, 8 keep-alive connections (wrk)',
  unit: 'download',
  // Few connections for the reason given at tcp-bulk.
  load: wrk({ path: '/large', connections: 8, responseBytes: largeBytes }),
  goals: [],
}
