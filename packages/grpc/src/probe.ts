import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from 'node:http2'
import { connect as connectTcp, type Socket } from 'node:net'
import { checkServerIdentity, connect as connectTls } from 'node:tls'
import type { Probe } from '@sluice/core'
import type { ConnectTarget, ConnectTls } from '@sluice/wire'
import { checkPath, decodeHealthResponse, encodeHealthRequest } from './health/messages.ts'
import { decodeMessage } from './message.ts'
import { frameMessage, MessageReader } from './messages.ts'
import { parseStatus, statusCode, statusName, statusOfHttp } from './status.ts'

const maxAnswerBytes = 4_096

/**
 * Asks grpc.health.v1 for `options.service` (the whole server when it is empty); SERVING is well. Each probe has a
 * connection of its own.
 *
 * It is no client of @grpc/grpc-js: that one cannot be given up while it connects, and a peer that accepts and then
 * says nothing would gather one open connection a probe (seen with 1.14).
 */
export const grpcProbe: Probe = (endpoint, options, done) => {
  const address = endpoint.addresses[endpoint.preferredAddress]
  if (address === undefined) {
    done('its name does not resolve')
    return () => {}
  }
  const service = 'service' in options ? String(options.service) : ''
  const check = new HealthCheck(service, done)
  check.ask(address, endpoint.authority, endpoint.tls as ConnectTls | undefined)
  return () => check.giveUp()
}

class HealthCheck {
  readonly #service: string
  #done: ((failure?: string) => void) | undefined
  #socket!: Socket
  #session!: ClientHttp2Session

  constructor(service: string, done: (failure?: string) => void) {
    this.#service = service
    this.#done = done
  }

  ask(address: ConnectTarget, authority: string, tls: ConnectTls | undefined): void {
    const broken = (error: Error) => this.#end(error.message)
    const closed = () => this.#end('it closed the connection without an answer')
    this.#socket = tls === undefined ? connectTcp(address) : connectSecure(address, tls)
    const origin = `${tls === undefined ? 'http' : 'https'}://${authority}`
    this.#session = connect(origin, { createConnection: () => this.#socket, settings: { enablePush: false } })
    // Whichever of the three breaks first has the cause; the others hear of it too and must not be unhandled.
    this.#socket.on('error', broken).on('close', closed)
    this.#session.on('error', broken).on('close', closed)
    const stream = this.#session.request({
      ':method': 'POST',
      ':path': checkPath,
      te: 'trailers',
      'content-type': 'application/grpc',
      'user-agent': 'sluice-health',
    })
    stream.on('error', broken)
    const messages: Buffer[] = []
    const reader = new MessageReader(maxAnswerBytes, (message) => messages.push(message))
    let head: IncomingHttpHeaders = {}
    let trailers: IncomingHttpHeaders = {}
    stream.on('response', (fields) => (head = fields))
    stream.on('trailers', (fields) => (trailers = fields))
    stream.on('data', (chunk: Buffer) => {
      const fault = reader.read(chunk)
      if (fault !== undefined) this.#end(`its answer cannot be read: ${fault.message}`)
    })
    stream.on('end', () => this.#end(this.#judge(head, trailers, messages[0])))
    stream.on('close', () => this.#end(`it closed the stream with code ${stream.rstCode} and without an answer`))
    stream.end(frameMessage(encodeHealthRequest(this.#service)))
  }

  giveUp(): void {
    this.#done = undefined
    this.#close()
  }

  /** What is wrong with the answer, in a sentence. */
  #judge(head: IncomingHttpHeaders, trailers: IncomingHttpHeaders, message: Buffer | undefined): string | undefined {
    const http = Number(head[':status'])
    const status = trailers['grpc-status'] ?? head['grpc-status']
    if (status === undefined) {
      if (http === 200) return 'it answered without a grpc-status'
      return `it answered the HTTP status ${http} (${statusName(statusOfHttp(http))})`
    }
    const code = parseStatus(String(status))
    if (code === statusCode.NOT_FOUND) return `it does not know the service \`${this.#service}\` (NOT_FOUND)`
    if (code === statusCode.UNIMPLEMENTED) return 'it has no grpc.health.v1 (UNIMPLEMENTED)'
    if (code !== statusCode.OK) {
      const text = decodeMessage(String(trailers['grpc-message'] ?? head['grpc-message'] ?? ''))
      return `it answered ${statusName(code)}${text === '' ? '' : `: ${text}`}`
    }
    const serving = message === undefined ? undefined : decodeHealthResponse(message)
    if (serving === undefined) return 'its answer is no HealthCheckResponse'
    return serving === 'SERVING' ? undefined : `it answered ${serving}`
  }

  #end(failure: string | undefined): void {
    const done = this.#done
    this.#done = undefined
    this.#close()
    done?.(failure)
  }

  #close(): void {
    this.#session.destroy()
    this.#socket.destroy()
  }
}

function connectSecure(address: ConnectTarget, tls: ConnectTls): Socket {
  return connectTls({
    ...address,
    secureContext: tls.secureContext,
    // Said in so many words, since NODE_TLS_REJECT_UNAUTHORIZED would turn it off.
    rejectUnauthorized: true,
    // An IP address is no server name (RFC 6066 §3); the certificate is checked against it all the same.
    servername: /^[\d.]+$|:/.test(tls.serverName) ? '' : tls.serverName,
    checkServerIdentity: (_host, certificate) => checkServerIdentity(tls.serverName, certificate),
    ALPNProtocols: ['h2'],
  })
}
