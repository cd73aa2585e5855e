import type { Result } from './result.ts'

/**
 * CPU time per unit as a multiple of nginx's, measured earlier on a 2-core machine (nginx 1.22, haproxy 2.6, the
 * pinned Node peers). Absolute figures depend on the machine; these should hold from one to another.
 */
const timesNginx: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  http1: {
    haproxy: 13.3 / 11.7,
    'fast-proxy': 60 / 11.7,
    'fast-proxy-agent': 79 / 11.7,
    'fastify-http-proxy': 84 / 11.7,
    httpxy: 95 / 11.7,
    'http2-proxy': 106 / 11.7,
    'http-proxy': 108 / 11.7,
    'http-proxy-3': 112 / 11.7,
  },
  // haproxy took 12.3 to 14.2 µs here.
  'grpc-16x32': { haproxy: 13.25 / 26.5, 'node-http2-pipe': 87 / 26.5 },
  'grpc-64x1': { haproxy: 17.6 / 23 },
  'grpc-4x8': { haproxy: 9.8 / 21 },
  'grpc-1x100': { haproxy: 8 / 17 },
  'tcp-small': { haproxy: 9.2 / 9.2, 'node-pipe': 14.9 / 9.2 },
  'tcp-bulk': { haproxy: 753 / 409, 'node-pipe': 1126 / 409 },
}

const tolerance = 0.15

/** One warning for the known rows that are further from their reference than 15 %, if there are any. */
export function deviations(result: Result): string[] {
  const off = Object.entries(timesNginx[result.case] ?? {}).flatMap(([name, expected]) => {
    const seen = result.rows.find((row) => row.name === name)?.timesNginx
    return seen === undefined || Math.abs(seen / expected - 1) <= tolerance ? [] : [{ name, seen, expected }]
  })
  if (off.length === 0) return []
  const list = off
    .map(({ name, seen, expected }) => `${name} ${seen.toFixed(2)} (was ${expected.toFixed(2)})`)
    .join(', ')
  const oneWay = off.length > 2 && new Set(off.map(({ seen, expected }) => seen > expected)).size === 1
  const hint = oneWay ? ' All in one direction: it is nginx that costs something else on this machine.' : ''
  return [
    `off by more than 15 % in × nginx from what was measured earlier: ${list}. Find out why before using them.${hint}`,
  ]
}
