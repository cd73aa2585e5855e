import { startScriptBackend } from '../backends/script.ts'
import { scriptLoad } from '../load/load.ts'
import type { Case } from './case.ts'
import { timesThatOf } from './goals.ts'

/** WebSocket messages through tunnels. */
export const websocket: Case = {
  name: 'websocket',
  title: 'WebSocket, 64-byte messages echoed one at a time in 64 tunnels',
  unit: 'message',
  traffic: 'websocket',
  tools: ['taskset'],
  startBackend: (stage) => startScriptBackend(stage, new URL('../backends/websocket-echo.ts', import.meta.url)),
  load: scriptLoad(new URL('../load/websocket.ts', import.meta.url), ['64']),
  goals: [timesThatOf('nginx', 1.3)],
  figure: 'cpu',
  rounds: 5,
}
