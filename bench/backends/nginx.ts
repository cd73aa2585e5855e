import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadCore } from '../cores.ts'
import { startNginx } from '../nginx.ts'
import { type Stage, freePort } from '../stage.ts'

/** Body of the small response. */
export const smallBytes = 100
/** Body of the download. */
export const largeBytes = 1024 * 1024

/**
 * An nginx on the load core: `/small` answers 100 bytes, `/large` 1 MiB, `/forwarded-for` what it was sent as
 * X-Forwarded-For. Its connections never end by themselves, so that none breaks between two rounds.
 */
export async function startNginxBackend(stage: Stage): Promise<number> {
  const port = await freePort()
  const root = stage.directoryFor('backend-files')
  writeFileSync(join(root, 'large'), Buffer.alloc(largeBytes, 'x'))
  await startNginx(stage, {
    name: 'backend',
    core: loadCore,
    port,
    http: `access_log off;
default_type text/plain;
sendfile on;
tcp_nopush on;
keepalive_timeout 1h;
keepalive_requests 1000000000;
client_max_body_size 16m;
server {
  listen 127.0.0.1:${port} backlog=4096;
  root ${root};
  location = /small { return 200 "${'x'.repeat(smallBytes)}"; }
  location = /forwarded-for { return 200 "$http_x_forwarded_for"; }
}`,
  })
  return port
}
