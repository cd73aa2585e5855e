import net from 'node:net'
import { getSystemErrorMessage, getSystemErrorName } from 'node:util'
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

/** An address that can be bound, and is until it is let go. */
export interface TriedBind {
  readonly address: BindAddress
  /** Held until all addresses of a configuration were tried: else two that may be any port could get the same one. */
  release(): Promise<void>
}

/**
 * Binds an address without sharing it: only so a port in use is seen that other processes share, and any port (0) becomes
 * one that several threads can bind. Nobody who connects meanwhile is accepted. Rejects with a `StartError`.
 */
export async function tryBind({ listener, bind }: ConfiguredBind): Promise<TriedBind> {
  if ('path' in bind) return { address: bind, release: async () => {} }
  try {
    const { port, release } = bindOnly === undefined ? await listenFor(bind) : bindFor(bind, bindOnly)
    return { address: { host: bind.host, port }, release }
  } catch (error) {
    throw bindError(listener, bind, error)
  }
}

/** A socket that is bound and not listened on yet, or the number of an error. */
type BindOnly = (host: string | null, port: number, family: 4 | 6, fd: undefined, flags: number) => BoundHandle | number

interface BoundHandle {
  getsockname(out: { port?: number }): number
  close(closed: () => void): void
}

/** Not public; Node's own cluster binds by it. Without it the port is listened on meanwhile. */
const bindOnly = (net as { _createServerHandle?: BindOnly })._createServerHandle

interface HeldPort {
  readonly port: number
  release(): Promise<void>
}

function bindFor({ host, port }: { host: string; port: number }, bind: BindOnly): HeldPort {
  // The empty host is every address of both families.
  const handle = bind(host === '' ? null : host, port, net.isIPv6(host) ? 6 : 4, undefined, 0)
  if (typeof handle === 'number') throw failure(handle)
  const name: { port?: number } = {}
  // A port in use is told here, not before.
  const failed = handle.getsockname(name)
  if (failed === 0) return { port: name.port ?? port, release: () => new Promise((resolve) => handle.close(resolve)) }
  handle.close(() => {})
  throw failure(failed)
}

function failure(errno: number): Error {
  return Object.assign(new Error(getSystemErrorMessage(errno)), { code: getSystemErrorName(errno) })
}

async function listenFor({ host, port }: { host: string; port: number }): Promise<HeldPort> {
  const server = net.createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(host === '' ? { port } : { host, port }, resolve)
  })
  const address = server.address()
  return {
    port: address !== null && typeof address === 'object' ? address.port : port,
    release: () => new Promise((resolve) => server.close(() => resolve())),
  }
}
