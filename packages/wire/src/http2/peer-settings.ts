import { DEFAULT_WINDOW, MAX_31_BITS, readUint32, setting } from './frame.ts'
import { http2Error } from './http2-codes.ts'

const minFrameBytes = 16_384
const maxFrameBytes = 16_777_215

/** What the peer's SETTINGS say; before they have come, what RFC 9113 §6.5.2 takes for granted. */
export class PeerSettings {
  tableBytes = 4_096
  /** The lowest that `tableBytes` was within the last frame (RFC 7541 §4.2). */
  lowestTableBytes = 4_096
  maxStreams = Infinity
  window = DEFAULT_WINDOW
  maxFrameBytes = minFrameBytes
  maxHeadBytes = Infinity
  enableConnect = false

  /** Reads the payload of a SETTINGS frame; returns an `http2Error`, 0 when all is well. `server`: the peer is one. */
  read(buf: Uint8Array, start: number, end: number, server: boolean): number {
    this.lowestTableBytes = this.tableBytes
    for (let at = start; at < end; at += 6) {
      const error = this.#set((buf[at]! << 8) | buf[at + 1]!, readUint32(buf, at + 2), server)
      if (error !== http2Error.noError) return error
    }
    return http2Error.noError
  }

  #set(name: number, value: number, server: boolean): number {
    switch (name) {
      case setting.headerTableSize:
        this.tableBytes = value
        if (value < this.lowestTableBytes) this.lowestTableBytes = value
        break
      case setting.enablePush:
        if (value > (server ? 0 : 1)) return http2Error.protocolError
        break
      case setting.maxConcurrentStreams:
        this.maxStreams = value
        break
      case setting.initialWindowSize:
        if (value > MAX_31_BITS) return http2Error.flowControlError
        this.window = value
        break
      case setting.maxFrameSize:
        if (value < minFrameBytes || value > maxFrameBytes) return http2Error.protocolError
        this.maxFrameBytes = value
        break
      case setting.maxHeaderListSize:
        this.maxHeadBytes = value
        break
      case setting.enableConnectProtocol:
        // RFC 8441 §3: once said it is not taken back.
        if (value > 1 || (this.enableConnect && value === 0)) return http2Error.protocolError
        this.enableConnect = value === 1
        break
    }
    return http2Error.noError
  }
}
