// What `npm start` runs: the test backends on 3001–3012, and Sluice in front of them.
import { BackendStartError, type Backends, startBackends } from '@sluice/backends'
import { type ConfigInput, formatConfigErrors, parseConfigObject } from '@sluice/core'
import { serve } from './commands/serve.ts'
import { defineConfig } from './proxy.ts'
import { StartError } from './start-error.ts'

/** At once on each HTTP backend, and so the figure that its `/max` must show under load. */
const perBackend = 2

const config: ConfigInput = defineConfig({
  drainTimeout: '10s',
  admin: { bind: '127.0.0.1:9901' },
  log: { access: 'pretty', query: true },
  listeners: {
    web: { bind: '127.0.0.1:8080', protocol: 'http', upstream: 'http' },
    live: { bind: '127.0.0.1:8081', protocol: 'websocket', upstream: 'websocket' },
    stream: { bind: '127.0.0.1:8082', protocol: 'tcp', upstream: 'echo', gate: { limit: 20 } },
    rpc: { bind: '127.0.0.1:50050', protocol: 'grpc', upstream: 'grpc' },
  },
  upstreams: {
    http: {
      endpoints: ['127.0.0.1:3001', '127.0.0.1:3002', '127.0.0.1:3003'].map((address) => ({
        address,
        limit: perBackend,
      })),
      gate: { limit: 3 * perBackend, queue: 100, timeout: '10s' },
    },
    websocket: { endpoints: ['127.0.0.1:3004', '127.0.0.1:3005'], gate: { limit: 100 } },
    echo: { endpoints: ['127.0.0.1:3006'] },
    grpc: { endpoints: ['grpc://127.0.0.1:3010', 'grpc://127.0.0.1:3011'], gate: { limit: 100 } },
  },
})

type Row = readonly [where: string, what: string, tryIt: string]

const rows: readonly Row[] = [
  ['127.0.0.1:8080', `HTTP over 3001–3003, ${perBackend} at once on each`, 'curl -i http://127.0.0.1:8080/hello'],
  ['127.0.0.1:8081', 'WebSocket over 3004 and 3005 (echo)', 'npx --yes wscat@6 -c ws://127.0.0.1:8081/ -x hello -w 1'],
  ['127.0.0.1:8082', 'TCP to 3006 (echo)', 'echo hello | nc -w 1 127.0.0.1 8082'],
  ['127.0.0.1:50050', 'gRPC over 3010 and 3011 (echo)', 'node examples/grpc-call.mjs'],
  ['127.0.0.1:9901', 'admin: /healthz /readyz /state /metrics', 'curl http://127.0.0.1:9901/state'],
]

const gateLine =
  "for i in $(seq 30); do curl -s -o /dev/null 'http://127.0.0.1:8080/slow?ms=500' & done; wait; " +
  "curl 'http://127.0.0.1:3001/max?backend=http'"

function table(backends: Backends): string {
  const all: Row[] = [
    ['Sluice', '', 'try'],
    ...rows,
    ['', '', ''],
    ['test backends', '', ''],
    ...backends.table.map(({ address, what, tryIt }): Row => [`${address.host}:${address.port}`, what, tryIt]),
  ]
  const widths = [0, 1].map((column) => Math.max(...all.map((row) => row[column]!.length)))
  const lines = all.map(([where, what, tryIt]) => `  ${where.padEnd(widths[0]!)}  ${what.padEnd(widths[1]!)}  ${tryIt}`)
  const gate = `  The gate: thirty at once, of which no backend ever sees more than ${perBackend} (\`max\`):\n  ${gateLine}`
  return `\n${lines.map((line) => line.trimEnd()).join('\n')}\n\n${gate}\n\n  One line an exchange follows. Ctrl-C stops.\n`
}

async function main(): Promise<0 | 1> {
  const result = parseConfigObject(config)
  if (result.errors !== undefined) throw new Error(formatConfigErrors(result.errors))
  const backends = await startBackends().catch((error: unknown) => {
    throw error instanceof BackendStartError ? new StartError(error.message, 1) : error
  })
  try {
    const loaded = { config: result.config, placeOf: () => undefined }
    return await serve(loaded, { started: () => console.log(table(backends)) })
  } finally {
    await backends.close()
  }
}

try {
  process.exitCode = await main()
} catch (error) {
  if (!(error instanceof StartError)) throw error
  console.error(`npm start: ${error.message}`)
  process.exitCode = error.exitCode
}
if (process.connected) process.disconnect()
