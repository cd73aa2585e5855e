import { connect as connectSocket, type Socket } from 'node:net'
import { type ConnectionOptions, checkServerIdentity, connect as connectTls, type SecureContext } from 'node:tls'
import { type ConnectingHandler, Link, onRead, takeNextBuffer } from './link.ts'
import { firstReadBuffer, ReadBuffer } from './read-buffers.ts'
import { ownedBuffers } from './self-test.ts'

/** Where to connect to. Names are resolved elsewhere: `host` is an IP address. */
export type ConnectTarget = { readonly host: string; readonly port: number } | { readonly path: string }

/** TLS towards an upstream. The certificate is verified against `serverName`; there is no switch to turn that off. */
export interface ConnectTls {
  readonly secureContext: SecureContext
  readonly serverName: string
  /** Application protocols to offer (ALPN, RFC 7301), best first. */
  readonly protocols?: readonly string[]
}

/** Begins to connect. The handler hears `onConnect` once the link (and TLS upon it) stands, or `onClose`. */
export function connectLink(target: ConnectTarget, handler: ConnectingHandler, tls?: ConnectTls): Link {
  const readBuffer = ownedBuffers() ? new ReadBuffer() : undefined
  const options = {
    ...target,
    allowHalfOpen: true,
    noDelay: true,
    ...(readBuffer === undefined
      ? {}
      : { onread: { buffer: () => takeNextBuffer(firstReadBuffer) as Buffer<ArrayBuffer>, callback: onRead } }),
  }
  if (tls === undefined) {
    const socket = connectSocket(options)
    const link = new Link(socket, handler, readBuffer === undefined ? {} : { readBuffer })
    socket.once('connect', () => link.event('connect'))
    return link
  }
  const tlsOptions: ConnectionOptions = {
    ...options,
    secureContext: tls.secureContext,
    // Said in so many words, since NODE_TLS_REJECT_UNAUTHORIZED would turn it off.
    rejectUnauthorized: true,
    // An IP address is no server name (RFC 6066 §3); the certificate is checked against it all the same.
    servername: /^[\d.]+$|:/.test(tls.serverName) ? '' : tls.serverName,
    checkServerIdentity: (_host, certificate) => checkServerIdentity(tls.serverName, certificate),
    ...(tls.protocols === undefined ? {} : { ALPNProtocols: [...tls.protocols] }),
  }
  const socket: Socket = connectTls(tlsOptions)
  const link = new Link(socket, handler, readBuffer === undefined ? {} : { readBuffer })
  socket.once('secureConnect', () => link.event('connect'))
  return link
}
