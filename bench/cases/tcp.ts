import { largeBytes, smallBytes, startNginxBackend } from '../backends/nginx.ts'
import { wrk } from '../load/wrk.ts'
import type { Case } from './case.ts'
import { timesThatOf } from './goals.ts'

// HTTP is only what wrk and the backend speak: the candidates carry bytes (`mode tcp`, the stream module).
const common = {
  traffic: 'tcp',
  tools: ['taskset', 'nginx', 'wrk'],
  startBackend: startNginxBackend,
  figure: 'cpu',
  rounds: 5,
} as const satisfies Partial<Case>

/** TCP, one small message each way at a time. */
export const tcpSmall: Case = {
  ...common,
  name: 'tcp-small',
  title: 'TCP, small request and response in turn, 64 connections (wrk)',
  unit: 'request',
  load: wrk({ path: '/small', connections: 64, responseBytes: smallBytes }),
  goals: [timesThatOf('nginx', 1.3)],
}

/** TCP, bulk. */
export const tcpBulk: Case = {
  ...common,
  name: 'tcp-bulk',
  title: 'TCP, downloads of 1 MiB, 8 connections (wrk)',
  unit: 'download',
  // Few connections: the buffers of 64 do not fit the processor's cache, and then memory is what is measured.
  load: wrk({ path: '/large', connections: 8, responseBytes: largeBytes }),
  goals: [timesThatOf('haproxy', 1)],
}
