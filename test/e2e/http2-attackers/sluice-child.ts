// Sluice in a process of its own, so that its memory and its time can be told from those of its peers.
import { parseConfigObject } from '@sluice/core'
import { type ConfigInput, Proxy } from 'sluice'
import { eventually } from '../../../packages/testkit/src/raw/index.ts'
import { residue } from '../support/stage.ts'

export type ToSluice =
  | { readonly kind: 'start'; readonly config: unknown; readonly rateWindowMs: number }
  | { readonly kind: 'sample' | 'close' }

/** What Sluice tells of itself. */
export interface Sample {
  readonly ports: Readonly<Record<string, number>>
  readonly rssBytes: number
  /** Of clients, those that are being closed included. */
  readonly connections: number
  /** Time on the processor, of all threads, so far. */
  readonly cpuMs: number
  /** What is not zero that must be when nobody is there. */
  readonly residue: readonly string[]
  readonly timers: number
  readonly bufferedBytes: number
  readonly faults: readonly string[]
}

let proxy: Proxy
const faults: string[] = []

process.on('message', (message: ToSluice) => void take(message))

async function take(message: ToSluice): Promise<void> {
  if (message.kind === 'start') {
    const { config, errors } = parseConfigObject(message.config as ConfigInput)
    if (config === undefined) throw new Error(JSON.stringify(errors))
    // The window of a rate cannot be written.
    const listeners = config.listeners.map((one) => ({
      ...one,
      minRate: { ...one.minRate, windowMs: message.rateWindowMs },
    }))
    proxy = new Proxy({ ...config, listeners }, { onFault: (fault) => faults.push(String(fault)) })
    await proxy.listen()
  } else if (message.kind === 'close') {
    await proxy.close()
    // Sockets say that they are closed a turn later.
    await eventually(() => residue(proxy.stats()).length === 0).catch(() => undefined)
  }
  process.send!(sample())
  if (message.kind === 'close') process.disconnect()
}

function sample(): Sample {
  const stats = proxy.stats()
  const { user, system } = process.cpuUsage()
  const ports = Object.entries(proxy.addresses).map(([name, address]) => [name, 'port' in address ? address.port : 0])
  return {
    ports: Object.fromEntries(ports) as Record<string, number>,
    rssBytes: process.memoryUsage.rss(),
    connections: stats.listeners.reduce((sum, { connections }) => sum + connections, 0),
    cpuMs: (user + system) / 1_000,
    residue: residue(stats),
    timers: stats.timers,
    bufferedBytes: stats.bufferedBytes,
    faults,
  }
}
