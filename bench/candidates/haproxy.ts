import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { proxyCore } from '../cores.ts'
import { type Stage, Unavailable, freePort } from '../stage.ts'
import { commandPath, missingTool } from '../tools.ts'
import type { Candidate, Subject, Traffic } from './candidate.ts'

const modes: Readonly<Record<Traffic, 'http' | 'tcp'>> = { http: 'http', websocket: 'http', grpc: 'http', tcp: 'tcp' }

async function start(stage: Stage, traffic: Traffic, upstreamPort: number): Promise<Subject> {
  const missing = missingTool('haproxy')
  if (missing !== undefined) throw new Unavailable(missing)
  const port = await freePort()
  const mode = modes[traffic]
  const http2 = traffic === 'grpc' ? ' proto h2' : ''
  const file = join(stage.directoryFor('haproxy'), 'haproxy.cfg')
  writeFileSync(
    file,
    `global
  nbthread 1
  maxconn 8192
defaults
  mode ${mode}
  timeout connect 5s
  timeout client 75s
  timeout server 300s
  timeout tunnel 1h
  ${mode === 'tcp' ? '' : 'timeout http-request 30s\n  option forwardfor\n  http-reuse always'}
frontend bench
  bind 127.0.0.1:${port} backlog 4096${http2}
  default_backend bench
backend bench
  server one 127.0.0.1:${upstreamPort}${http2}
`,
  )
  const args = ['-db', '-q', '-f', file]
  const running = await stage.start({ name: 'haproxy', command: commandPath('haproxy')!, args, core: proxyCore, port })
  return { port, process: running, pids: [running.pid] }
}

/** haproxy with one thread: `mode http` (for gRPC `proto h2` on both sides), for TCP `mode tcp`. It logs to syslog only, so it has no row with a log. */
export const haproxy: Candidate = {
  name: 'haproxy',
  family: 'native',
  carries: ['http', 'tcp', 'websocket', 'grpc'],
  start,
}
