import { readFileSync } from 'node:fs'
import { createSecureContext, type SecureContext } from 'node:tls'
import type { EndpointTls, ListenerConfig, UpstreamConfig } from '@sluice/core'
import type { AcceptTls, ConnectTls } from '@sluice/wire'
import { StartError } from './start-error.ts'

/** The least version spoken: what is older is broken (RFC 8996). */
const minVersion = 'TLSv1.2'

function read(file: string, what: string): Buffer {
  try {
    return readFileSync(file)
  } catch (error) {
    throw new StartError(`${what}: the file ${file} cannot be read: ${(error as Error).message}`, 1)
  }
}

function context(what: string, make: () => SecureContext): SecureContext {
  try {
    return make()
  } catch (error) {
    if (error instanceof StartError) throw error
    throw new StartError(`${what}: ${(error as Error).message}`, 1)
  }
}

/** TLS of a listener, from the files that its configuration names. */
export function acceptTls(listener: ListenerConfig): AcceptTls | undefined {
  const { tls, name, protocol } = listener
  if (tls === undefined) return undefined
  const what = `listeners.${name}.tls`
  return {
    secureContext: context(what, () =>
      createSecureContext({ cert: read(tls.certFile, what), key: read(tls.keyFile, what), minVersion }),
    ),
    ...(protocol === 'tcp' ? {} : { protocols: ['http/1.1'] }),
  }
}

/** TLS towards an upstream's endpoints. Certificates are verified, always. */
export function connectTls(upstream: UpstreamConfig): EndpointTls {
  const what = `upstreams.${upstream.name}.tls`
  let secureContext: SecureContext | undefined
  return (endpoint): ConnectTls | undefined => {
    if (!endpoint.secure) return undefined
    secureContext ??= context(what, () => {
      const ca = upstream.tls?.caFile
      return createSecureContext({ minVersion, ...(ca === undefined ? {} : { ca: read(ca, what) }) })
    })
    const host = 'host' in endpoint.address ? endpoint.address.host : 'localhost'
    return { secureContext, serverName: upstream.tls?.serverName ?? host }
  }
}
