import { loadCore } from '../cores.ts'
import { type Stage, freePort } from '../stage.ts'

/** Starts a backend of ours on the load core, run on this same Node as `node SCRIPT PORT`. */
export async function startScriptBackend(stage: Stage, script: URL): Promise<number> {
  const port = await freePort()
  await stage.start({
    name: 'backend',
    command: process.execPath,
    args: [script.pathname, String(port)],
    core: loadCore,
    port,
  })
  return port
}
