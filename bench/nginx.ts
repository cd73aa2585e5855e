import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Running, type Stage, Unavailable } from './stage.ts'
import { commandPath, missingTool } from './tools.ts'

/** One nginx with a single worker and everything it writes in a directory of its own. */
export interface NginxSetup {
  name: string
  core: number
  port: number
  /** Directives before `events`. */
  main?: string
  /** The contents of the `http` block. Its temporary paths are added. */
  http?: string
  /** The contents of the `stream` block. */
  stream?: string
}

/** Starts nginx in the foreground; the master's child is the worker. */
export async function startNginx(
  stage: Stage,
  { name, core, port, main = '', http, stream }: NginxSetup,
): Promise<Running> {
  const missing = missingTool('nginx')
  if (missing !== undefined) throw new Unavailable(missing)
  const directory = stage.directoryFor(name)
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((part) => `${part}_temp_path ${directory}/${part};`)
    .join(' ')
  const file = join(directory, 'nginx.conf')
  // Workers of a root master change to a user that may not enter our temporary directory.
  const user = process.getuid?.() === 0 ? 'user root;' : ''
  writeFileSync(
    file,
    `${main}
${user}
daemon off;
worker_processes 1;
pid ${directory}/nginx.pid;
error_log stderr warn;
events { worker_connections 8192; }
${http === undefined ? '' : `http {\n${temporary}\n${http}\n}`}
${stream === undefined ? '' : `stream {\n${stream}\n}`}
`,
  )
  return stage.start({
    name,
    command: commandPath('nginx')!,
    args: ['-e', 'stderr', '-p', directory, '-c', file],
    core,
    port,
  })
}
