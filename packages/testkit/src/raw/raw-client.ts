import { connect, type Socket, type TcpNetConnectOpts } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { RawConnection, type RawConnectionOptions } from './raw-connection.ts'

/** Where a raw client connects to. */
export interface RawClientOptions extends RawConnectionOptions {
  readonly port: number
  /** Default: `127.0.0.1`. */
  readonly host?: string
  readonly localAddress?: string
  /** Speaks TLS; `rejectUnauthorized` and the rest are the caller's. Default: plain TCP. */
  readonly tls?: ConnectionOptions
}

/** A client that writes and reads raw bytes. */
export class RawClient extends RawConnection {
  /** Resolves when the connection (and its TLS handshake) stands; rejects with Node's error when it fails. */
  static async connect(to: number | RawClientOptions): Promise<RawClient> {
    const options = typeof to === 'number' ? { port: to } : to
    const where: TcpNetConnectOpts = { host: options.host ?? '127.0.0.1', port: options.port, allowHalfOpen: true }
    if (options.localAddress !== undefined) where.localAddress = options.localAddress
    const transport = connect({ ...where, noDelay: true })
    await opened(transport, 'connect')
    if (options.tls === undefined) return new RawClient(transport, options)
    const socket = connectTls({ ...options.tls, socket: transport })
    await opened(socket, 'secureConnect')
    return new RawClient(socket, options, transport)
  }
}

function opened(socket: Socket, event: 'connect' | 'secureConnect'): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.once(event, () => {
      socket.removeListener('error', reject)
      resolve()
    })
  })
}
