import { formatDuration, type HealthConfig, type UpstreamConfig } from '@sluice/core'
import { parseTimeout } from '@sluice/grpc'
import type { Asked } from './explain-question.ts'

/** One line of an explanation. */
export type Line = readonly [name: string, text: string]

/** What an upstream is spoken to with, for a request of a kind; '' where it is no question. */
export function spokenWith({ protocol, endpoints }: UpstreamConfig, asked: Asked): string {
  if (asked.protocol === 'tcp') return ''
  // A WebSocket begins as a request of HTTP/1.1, whatever its upstream speaks besides.
  if (asked.protocol === 'websocket') return 'HTTP/1.1'
  if (protocol !== 'auto') return protocol === 'http2' ? 'HTTP/2' : 'HTTP/1.1'
  const inTheClear = asked.protocol === 'grpc' ? 'HTTP/2' : 'HTTP/1.1'
  const words = endpoints.map(({ secure }) => {
    if (!secure) return inTheClear
    return asked.protocol === 'grpc' ? 'HTTP/2 by ALPN' : 'HTTP/2 or HTTP/1.1 by ALPN'
  })
  return [...new Set(words)].join('; ')
}

/** Deadlines, retries and health of an upstream, for a request of a kind. */
export function policiesOf({ timeouts, retries, health, pool }: UpstreamConfig, asked: Asked): Line[] {
  const idle = timeouts.idleMs === undefined ? '' : `, idle ${formatDuration(timeouts.idleMs)}`
  // How long a call may take is the caller's to say.
  const response = /^(?:tcp|grpc)$/.test(asked.protocol) ? '' : `, response ${formatDuration(timeouts.responseMs)}`
  const ping =
    asked.protocol === 'grpc' && pool.pingMs !== Infinity ? `, PING after ${formatDuration(pool.pingMs)}` : ''
  return [
    ...deadlineOf(asked),
    ['timeouts', `connect ${formatDuration(timeouts.connectMs)}${response}${idle}${ping}`],
    ['retries', retries.max === 0 ? 'none' : `${retries.max}, after ${retries.on.join(', ')}`],
    ['health', healthOf(health)],
  ]
}

function deadlineOf({ protocol, header }: Asked): Line[] {
  if (protocol !== 'grpc') return []
  const timeout = header('grpc-timeout')
  if (timeout === undefined) return [['deadline', 'none: the caller sends no grpc-timeout']]
  const ms = parseTimeout(timeout)
  return [
    [
      'deadline',
      ms === undefined
        ? `none: \`${timeout}\` is not a grpc-timeout, such as 5S or 250m`
        : `${formatDuration(ms)}, waiting included, then 4 DEADLINE_EXCEEDED`,
    ],
  ]
}

function healthOf({ active, passive }: HealthConfig): string {
  const ejected = `ejected for ${formatDuration(passive.ejectMs)} after ${passive.failures} failures in a row`
  if (active === undefined) return `no checks; ${ejected}`
  const asks =
    active.type === 'http'
      ? `GET ${active.path}`
      : active.type === 'tcp'
        ? 'connects'
        : `asks grpc.health.v1 for ${active.service === '' ? 'the server as a whole' : active.service}`
  return `${asks} every ${formatDuration(active.intervalMs)}; ${ejected}`
}
