import type { Case } from './case.ts'
import { http1, http1Download, http1Post, threads } from './http1.ts'
import { latency } from './latency.ts'
import { tcpBulk, tcpSmall } from './tcp.ts'
import { websocket } from './websocket.ts'

/** All cases by their names. */
export const cases: readonly Case[] = [http1, threads, http1Post, http1Download, tcpSmall, tcpBulk, websocket, latency]

/** Words that stand for several cases. */
export const groups: Readonly<Record<string, readonly Case[]>> = {
  tcp: [tcpSmall, tcpBulk],
  all: cases,
}

/** What runs when no case is named. */
export const defaultCases: readonly Case[] = [http1, tcpSmall, tcpBulk, websocket, latency]
