import { startScriptBackend } from '../backends/script.ts'
import { scriptLoad } from '../load/load.ts'
import type { Case } from './case.ts'
import { addsAtMost } from './goals.ts'

/** The latency that a proxy adds far below saturation. */
export const latency: Case = {
  name: 'latency',
  title: 'HTTP/1.1, added latency: 10 connections, a backend that answers after 5 ms',
  unit: 'request',
  traffic: 'http',
  tools: ['taskset'],
  startBackend: (stage) => startScriptBackend(stage, new URL('../backends/delayed.ts', import.meta.url)),
  load: scriptLoad(new URL('../load/latency.ts', import.meta.url), ['10']),
  goals: [addsAtMost(0.04)],
  figure: 'added',
  // A p99 needs more rounds than a mean.
  rounds: 9,
}
