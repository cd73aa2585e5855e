import { answers, type ErrorSource, type Exchange } from '@sluice/core'

/** What the access log reads of an exchange; which of it there is depends on the protocol. */
export type LoggedExchange = Exchange & {
  readonly loggedClient?: string
  readonly loggedMethod?: string
  readonly loggedTarget?: string
  /** In the clock's milliseconds; 0 or absent when no answer came. */
  readonly firstByteAt?: number
}

/** How the access log writes an exchange: one line, the line break included. */
export interface AccessFormat {
  line(exchange: LoggedExchange, id: string, wallOffsetMs: number): string
}

/** Whose doing the end was; undefined for a unit that ended well. */
export function sideOf({ reason }: LoggedExchange): ErrorSource | undefined {
  return reason === 'ok' ? undefined : answers[reason].source
}

/** What of the target is logged. Of the absolute form only the path: what stands before may hold a password. */
export function loggedPath(target: string, query: boolean): string {
  let start = 0
  if (target.charCodeAt(0) !== 0x2f) {
    const scheme = target.indexOf('://')
    if (scheme > 0) {
      start = target.indexOf('/', scheme + 3)
      if (start < 0) return '/'
    }
  }
  const end = query ? -1 : target.indexOf('?', start)
  return start === 0 && end < 0 ? target : target.slice(start, end < 0 ? undefined : end)
}
