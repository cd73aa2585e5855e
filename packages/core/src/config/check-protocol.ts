import type { ConfigPath } from './config-error.ts'
import { defaults } from './defaults.ts'
import { formatSize, parseSize } from './quantity.ts'
import { record, type Raw, type Report } from './raw.ts'

// Keys that mean nothing for a protocol are errors: silence would let people believe that they hold.

const httpKeys = ['routes', 'trustedProxies', 'reasonHeader', 'path', 'halfClose', 'limits']
const http2Keys = ['http2', 'other', 'web', 'health', 'transcode']
const foreignKeys: Readonly<Record<string, readonly string[]>> = {
  tcp: [...httpKeys, ...http2Keys],
  websocket: http2Keys,
  http: ['other'],
}
const httpTimeouts = ['head', 'body', 'keepAlive']

/** The keys of a listener, and of its routes, that its protocol does not know. */
export function checkProtocolKeys(listener: Raw, path: ConfigPath, report: Report): void {
  const protocol = String(listener['protocol'])
  const foreign = Object.hasOwn(foreignKeys, protocol) ? foreignKeys[protocol]! : []
  for (const key of foreign) {
    if (listener[key] === undefined) continue
    report([...path, key], `\`${key}\` is not known on a ${protocol} listener.`, hintFor(key, protocol), 'key')
  }
  if (protocol === 'tcp') {
    const timeouts = record(listener['timeouts'])
    for (const key of httpTimeouts) {
      if (timeouts[key] === undefined) continue
      report([...path, 'timeouts', key], `\`${key}\` is not known on a tcp listener.`, undefined, 'key')
    }
  }
}

function hintFor(key: string, protocol: string): string | undefined {
  if (key === 'routes') return 'Write `upstream` instead: TCP has nothing to match on.'
  if (key === 'other')
    return protocol === 'http' ? 'An http listener takes every content type.' : 'Only grpc listeners have it.'
  if (!http2Keys.includes(key)) return undefined
  return protocol === 'websocket'
    ? 'It speaks HTTP/1.1 alone; grpc and http listeners have it.'
    : 'Grpc and http listeners have it.'
}

/** Answers of HTTP on a listener that speaks gRPC alone. */
export function checkAnswerOnGrpc(route: Raw, listener: Raw, path: ConfigPath, report: Report): void {
  if (listener['protocol'] !== 'grpc' || listener['other'] === 'pass') return
  for (const key of ['respond', 'redirect']) {
    if (route[key] === undefined) continue
    report(
      [...path, key],
      `\`${key}\` is an answer of HTTP, and a grpc listener takes gRPC alone.`,
      'Write `other: pass` on the listener to take other content types too.',
      'key',
    )
  }
}

/** What holds between the sizes of HTTP/2's windows. */
export function checkWindows(http2: unknown, path: ConfigPath, report: Report): void {
  const { window = formatSize(defaults.listener.http2.windowBytes), maxWindow } = record(http2)
  const most = typeof maxWindow === 'string' ? parseSize(maxWindow) : undefined
  const first = typeof window === 'string' ? parseSize(window) : undefined
  if (typeof most !== 'number' || typeof first !== 'number' || most >= first) return
  report(
    [...path, 'maxWindow'],
    `\`maxWindow\` ${String(maxWindow)} must not be less than \`window\` ${formatSize(first)}.`,
  )
}
