import { createServer } from 'node:net'
import type { BindAddress, Config, ListenerConfig } from '@sluice/core'
import { bindError } from './bind-error.ts'

/** One address that a listener is configured to be bound to. */
export interface ConfiguredBind {
  readonly listener: string
  /** By which it is known: what has the same key in the next configuration is not bound anew. */
  readonly key: string
  readonly bind: BindAddress
}

/** The addresses of one listener. */
export function bindsOf({ name, bind }: ListenerConfig): ConfiguredBind[] {
  return bind.map((one, i) => ({ listener: name, key: keyOf(name, i, one), bind: one }))
}

/** The addresses of all listeners. */
export function allBinds({ listeners }: Config): ConfiguredBind[] {
  return listeners.flatMap(bindsOf)
}

/** An address is known by itself; any port (0) is a different one each time, and known by its place. */
function keyOf(listener: string, place: number, bind: BindAddress): string {
  if ('path' in bind) return `unix:${bind.path}`
  return bind.port === 0 ? `${listener}[${place}] ${bind.host}` : `${bind.host} ${bind.port}`
}

/**
 * Binds an address for a moment, without sharing it: only so a port in use is seen that other processes share, and any
 * port (0) becomes one that several threads can bind. Rejects with a `StartError`.
 */
export async function tryBind({ listener, bind }: ConfiguredBind): Promise<BindAddress> {
  if ('path' in bind) return bind
  const server = createServer()
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(bind.host === '' ? { port: bind.port } : bind, resolve)
    })
  } catch (error) {
    throw bindError(listener, bind, error)
  }
  const address = server.address()
  await new Promise<void>((resolve) => server.close(() => resolve()))
  return { host: bind.host, port: address !== null && typeof address === 'object' ? address.port : bind.port }
}
