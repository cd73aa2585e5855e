import type { BindAddress, Capacity, LogConfig, MetricsAnnouncement, Records, SharedMemoryHandle } from '@sluice/core'
import type { NextConfig, PlaneFacts } from '../engine/data-plane.ts'
import type { ExchangeRecord } from '../engine/exchange-record.ts'
import { StartError } from '../start-error.ts'

/** What a data-plane thread is started with. */
export interface ThreadData {
  readonly thread: number
  readonly capacity: Capacity
  readonly memory: SharedMemoryHandle
  /** Connections of each client. */
  readonly clients: Int32Array
  readonly records: Records
  readonly log: LogConfig
  /** Where its log lines go; undefined: nothing is logged. */
  readonly logRing: SharedArrayBuffer | undefined
  readonly pseudonym: string
  readonly reusePort: boolean
  readonly maxAllConnections: number
  /** Whether records of exchanges are wanted. */
  readonly recording: boolean
  /** Whether it is measured how late its event loop is. */
  readonly measuring: boolean
}

/** The steps of a data plane, by their names there. */
export type Step = 'prepare' | 'adopt' | 'discard' | 'bind' | 'stopAccepting' | 'drain' | 'cut' | 'end'

/** From the main thread: one step, which is answered with its number. */
export interface Order {
  readonly order: number
  readonly step: Step
  readonly prepare?: { readonly next: NextConfig; readonly records: Records }
}

/** To the main thread. */
export type Report =
  | { readonly kind: 'done'; readonly order: number; readonly bound?: ReadonlyMap<string, BindAddress> }
  | { readonly kind: 'failed'; readonly order: number; readonly error: PostedError }
  | { readonly kind: 'metrics'; readonly announcement: MetricsAnnouncement }
  | { readonly kind: 'facts'; readonly facts: PlaneFacts }
  | { readonly kind: 'exchanges'; readonly records: readonly ExchangeRecord[] }
  | { readonly kind: 'fault'; readonly error: PostedError }

/** An error as it can be posted: a `StartError` keeps what makes it one. */
export interface PostedError {
  readonly message: string
  readonly stack: string | undefined
  readonly start: Pick<StartError, 'exitCode' | 'path'> | undefined
}

export function postedError(error: unknown): PostedError {
  const { message, stack } = error instanceof Error ? error : { message: String(error), stack: undefined }
  const start = error instanceof StartError ? { exitCode: error.exitCode, path: error.path } : undefined
  return { message, stack, start }
}

export function receivedError({ message, stack, start }: PostedError): Error {
  if (start !== undefined) return new StartError(message, start.exitCode, start.path)
  const error = new Error(message)
  if (stack !== undefined) error.stack = stack
  return error
}
