import type { Case } from './case.ts'
import { grpc16x32, grpc1x100, grpc4x8, grpc64x1, grpcJs, grpcStreams } from './grpc.ts'
import { http1, http1Download, http1Post, threads } from './http1.ts'
import { latency } from './latency.ts'
import { tcpBulk, tcpSmall } from './tcp.ts'
import { websocket } from './websocket.ts'

/** All cases by their names. */
export const cases: readonly Case[] = [
  http1,
  threads,
  http1Post,
  http1Download,
  grpc16x32,
  grpc64x1,
  grpc4x8,
  grpc1x100,
  grpcStreams,
  grpcJs,
  tcpSmall,
  tcpBulk,
  websocket,
  latency,
]

/** Words that stand for several cases. */
export const groups: Readonly<Record<string, readonly Case[]>> = {
  grpc: [grpc16x32, grpc64x1, grpc4x8, grpc1x100, grpcStreams, grpcJs],
  tcp: [tcpSmall, tcpBulk],
  all: cases,
}

/** What runs when no case is named. */
export const defaultCases: readonly Case[] = [http1, tcpSmall, tcpBulk, websocket, latency]
