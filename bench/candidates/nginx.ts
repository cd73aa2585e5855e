import { join } from 'node:path'
import { proxyCore } from '../cores.ts'
import { processTree } from '../measure.ts'
import { startNginx } from '../nginx.ts'
import { type Stage, Unavailable, freePort } from '../stage.ts'
import { loadStreamModule, missingTool } from '../tools.ts'
import type { Candidate, Subject, Traffic } from './candidate.ts'

// At its best for this load: upstream keep-alive, no connection ever recycled, downloads never spooled to disk.
function httpConfig(port: number, upstreamPort: number, accessLog: string): string {
  return `access_log ${accessLog};
keepalive_timeout 1h;
keepalive_requests 1000000000;
client_max_body_size 16m;
proxy_max_temp_file_size 0;
map $http_upgrade $connection_upgrade { default upgrade; "" ""; }
upstream backend {
  server 127.0.0.1:${upstreamPort};
  keepalive 256;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
}
server {
  listen 127.0.0.1:${port} backlog=4096;
  location / {
    proxy_pass http://backend;
    proxy_http_version 1.1;
    proxy_set_header Host $host;
    proxy_set_header Connection $connection_upgrade;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
  }
}`
}

// A stream of gRPC takes a connection of its own upstream for as long as it runs: as many are kept as calls may run.
function grpcConfig(port: number, upstreamPort: number, accessLog: string): string {
  return `access_log ${accessLog};
keepalive_timeout 1h;
keepalive_requests 1000000000;
client_max_body_size 0;
upstream backend {
  server 127.0.0.1:${upstreamPort};
  keepalive 1024;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
}
server {
  listen 127.0.0.1:${port} http2 backlog=4096;
  location / {
    grpc_pass grpc://backend;
    grpc_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
  }
}`
}

function streamConfig(port: number, upstreamPort: number, accessLog: string): string {
  return `log_format plain '$remote_addr [$time_local] $protocol $status $bytes_sent $bytes_received $session_time';
access_log ${accessLog};
server {
  listen 127.0.0.1:${port} backlog=4096;
  proxy_pass 127.0.0.1:${upstreamPort};
}`
}

async function start(
  stage: Stage,
  traffic: Traffic,
  upstreamPort: number,
  name: string,
  logs: boolean,
): Promise<Subject> {
  const port = await freePort()
  const log = join(stage.directoryFor(name), 'access.log')
  if (traffic === 'tcp') {
    const missing = missingTool('nginx-stream')
    if (missing !== undefined) throw new Unavailable(missing)
  }
  const setup =
    traffic === 'tcp'
      ? {
          main: loadStreamModule(),
          stream: streamConfig(port, upstreamPort, logs ? `${log} plain buffer=64k` : 'off'),
        }
      : {
          http: (traffic === 'grpc' ? grpcConfig : httpConfig)(
            port,
            upstreamPort,
            logs ? `${log} combined buffer=64k` : 'off',
          ),
        }
  const running = await startNginx(stage, { name, core: proxyCore, port, ...setup })
  // The master only waits.
  return { port, process: running, pids: processTree(running.pid).slice(1) }
}

/** nginx with one worker: `proxy_pass` for HTTP and WebSocket, `grpc_pass` for gRPC, the stream module for TCP. */
export const nginx: Candidate = {
  name: 'nginx',
  family: 'native',
  carries: ['http', 'tcp', 'websocket', 'grpc'],
  start: (stage, traffic, upstreamPort) => start(stage, traffic, upstreamPort, 'nginx', false),
}

/** The same with its access log on, buffered. */
export const nginxLogging: Candidate = {
  ...nginx,
  name: 'nginx+log',
  logs: true,
  start: (stage, traffic, upstreamPort) => start(stage, traffic, upstreamPort, 'nginx+log', true),
}
