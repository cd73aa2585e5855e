import type { ProxyError } from '@sluice/core'
import { httpDate } from './date.ts'
import { reasonPhrase } from './reason-phrase.ts'

/** An answer that Sluice makes itself. */
export interface Answer {
  readonly status: number
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>
  readonly body: Buffer
  /** There is a head and nothing else, not even a length. HTTP/2 only. */
  readonly headOnly?: true
}

/** What a refused client is told at least and at most, in seconds. */
const retryAfter = { min: 1, max: 60 }

/** What a refused or failed unit gets, in the words of HTTP. `retryAfterMs`: when it may be worth another try. */
export function errorAnswer(error: ProxyError, options: { reasonHeader: boolean; retryAfterMs: number }): Answer {
  const { http: status, retryAfter: waitingHelps } = error.answer
  const headers: [string, string][] = [['Content-Type', 'text/plain; charset=utf-8']]
  if (waitingHelps) {
    const seconds = Math.ceil(options.retryAfterMs / 1_000)
    headers.push(['Retry-After', String(Math.min(Math.max(seconds, retryAfter.min), retryAfter.max))])
  }
  if (status === 426) headers.push(['Upgrade', 'websocket'])
  if (options.reasonHeader) headers.push(['x-sluice-reason', error.code])
  return { status, headers, body: Buffer.from(`${status} ${reasonPhrase(status)}\n`) }
}

/** Composes an answer in one buffer. A body is left out for HEAD and where the status forbids it. */
export function composeAnswer(answer: Answer, connection: string | undefined, withoutBody: boolean): Buffer {
  const { status, body } = answer
  const bodiless = status === 204 || status === 304
  let head = `HTTP/1.1 ${status} ${reasonPhrase(status)}\r\nDate: ${httpDate()}\r\n`
  for (const [name, value] of answer.headers) head += `${name}: ${value}\r\n`
  if (!bodiless) head += `Content-Length: ${body.length}\r\n`
  // RFC 9110 §15.5.22: a 426 carries Upgrade, which Connection must name.
  const options = [status === 426 ? 'Upgrade' : undefined, connection].filter((option) => option !== undefined)
  if (options.length > 0) head += `Connection: ${options.join(', ')}\r\n`
  head += '\r\n'
  const headLength = Buffer.byteLength(head, 'latin1')
  const bodyLength = bodiless || withoutBody ? 0 : body.length
  const bytes = Buffer.allocUnsafe(headLength + bodyLength)
  bytes.write(head, 0, 'latin1')
  if (bodyLength > 0) body.copy(bytes, headLength)
  return bytes
}
