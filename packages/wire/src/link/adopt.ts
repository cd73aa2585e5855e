import { Socket } from 'node:net'

interface OnRead {
  buffer: () => Buffer
  callback: (bytes: number, buffer: Uint8Array) => boolean
}

/**
 * A new socket over an accepted one's handle, which reads into buffers of ours.
 *
 * `net.Server` offers no `onread` for what it accepts. The accepted socket is detached at once: it must neither read
 * nor close the handle that is no longer its own. The server goes on counting it, so nothing may rest on
 * `server.maxConnections`, `getConnections` or the callback of `close`.
 */
export function adopt(accepted: Socket, onread: OnRead): Socket {
  const owner = accepted as unknown as { _handle: unknown }
  const handle = owner._handle
  owner._handle = null
  return new Socket({ handle, allowHalfOpen: true, onread } as unknown as ConstructorParameters<typeof Socket>[0])
}
