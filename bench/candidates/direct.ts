import type { Candidate } from './candidate.ts'

/** No proxy at all: what the load generator and the backend can do, and the latency that a proxy adds to. */
export const direct: Candidate = {
  name: 'direct',
  family: 'direct',
  carries: ['http', 'tcp', 'websocket', 'grpc'],
  start: (_stage, _traffic, upstreamPort) => Promise.resolve({ port: upstreamPort, pids: [] }),
}
