import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext, type SecureContext } from 'node:tls'
import {
  type Config,
  type ConfigPath,
  type EndpointConfig,
  type EndpointTls,
  formatPath,
  type ListenerConfig,
  type UpstreamConfig,
} from '@sluice/core'
import type { AcceptTls, ConnectTls } from '@sluice/wire'
import { StartError } from './start-error.ts'

/** The least version spoken: what is older is broken (RFC 8996). */
const minVersion = 'TLSv1.2'

/** What is offered by ALPN, best first (RFC 7301). A WebSocket begins with an upgrade, which HTTP/2 has not. */
const applicationProtocols = {
  http: ['h2', 'http/1.1'],
  grpc: ['h2', 'http/1.1'],
  websocket: ['http/1.1'],
  tcp: undefined,
} as const

function read(file: string, path: ConfigPath): Buffer {
  try {
    return readFileSync(file)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const why = code === 'ENOENT' ? 'does not exist' : `cannot be read: ${message}`
    throw new StartError(`${formatPath(path)}: the file ${file} ${why}`, 1, path)
  }
}

function context(path: ConfigPath, make: () => SecureContext): SecureContext {
  try {
    return make()
  } catch (error) {
    if (error instanceof StartError) throw error
    throw new StartError(`${formatPath(path)} cannot be used: ${(error as Error).message}`, 1, path)
  }
}

/** TLS of a listener, from the files that its configuration names. */
export function acceptTls(listener: ListenerConfig): AcceptTls | undefined {
  const { tls, name, protocol } = listener
  if (tls === undefined) return undefined
  const path = ['listeners', name, 'tls']
  const cert = read(tls.certFile, [...path, 'cert'])
  const key = read(tls.keyFile, [...path, 'key'])
  return {
    secureContext: context(path, () => createSecureContext({ cert, key, minVersion })),
    protocols: applicationProtocols[protocol],
  }
}

/** Reads every certificate that a configuration names. Throws a `StartError` when one cannot be used. */
export function checkCertificates({ listeners, upstreams }: Config): void {
  for (const listener of listeners) acceptTls(listener)
  for (const upstream of upstreams) {
    const tls = connectTls(upstream)
    for (const endpoint of upstream.endpoints) tls(endpoint)
  }
}

/** TLS towards an upstream's endpoints. Certificates are verified, always. */
export function connectTls(upstream: UpstreamConfig): EndpointTls {
  const path = ['upstreams', upstream.name, 'tls']
  const { caFile, serverName } = upstream.tls ?? {}
  const ca = caFile === undefined ? undefined : read(caFile, [...path, 'ca'])
  let secureContext: SecureContext | undefined
  const settings = (endpoint: EndpointConfig): ConnectTls | undefined => {
    if (!endpoint.secure) return undefined
    secureContext ??= context(path, () => createSecureContext({ minVersion, ...(ca === undefined ? {} : { ca }) }))
    const host = 'host' in endpoint.address ? endpoint.address.host : 'localhost'
    return { secureContext, serverName: serverName ?? host }
  }
  // The file may have changed under the same name.
  const fingerprint = createHash('sha256')
    .update(JSON.stringify([serverName ?? null, ca?.toString('base64') ?? null]))
    .digest('base64')
  return Object.assign(settings, { fingerprint })
}
