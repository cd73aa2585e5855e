// A proxy in a process of its own, so that its memory can be told from that of its peers. Spoken to over IPC.
import { type ConfigInput, createProxy, type Proxy } from '../../packages/sluice/src/index.ts'

export type ToChild = { readonly kind: 'start'; readonly config: ConfigInput } | { readonly kind: 'report' | 'close' }

/** What the child tells of itself, after two collections. */
export interface Report {
  readonly rssBytes: number
  readonly heapBytes: number
  readonly settled: boolean
  readonly faults: number
  readonly addresses: Record<string, { readonly port: number }>
}

let proxy: Proxy | undefined
let faults = 0

function report(): Report {
  // Peak first: what the collections free was still needed at its time.
  const rssBytes = process.memoryUsage().rss
  globalThis.gc?.()
  globalThis.gc?.()
  const stats = proxy!.stats()
  return {
    rssBytes,
    heapBytes: process.memoryUsage().heapUsed,
    settled: stats.exchanges === 0 && stats.listeners.every(({ connections }) => connections === 0),
    faults,
    addresses: proxy!.addresses as Record<string, { port: number }>,
  }
}

process.on('message', (message: ToChild) => {
  void take(message)
})

async function take(message: ToChild): Promise<void> {
  if (message.kind === 'close') {
    await proxy?.close()
    process.disconnect()
    return
  }
  if (message.kind === 'start') {
    proxy = await createProxy(message.config, {
      onFault: (fault) => {
        faults++
        console.error(fault)
      },
    })
    await proxy.listen()
  }
  process.send!(report())
}
