import { FIELD_CLASS, fieldClass, fieldId, HOP_BY_HOP_MASK, ORIGIN_MASK } from '@sluice/wire'
import type { Origin } from './origin.ts'

/** What the request's head becomes on its way up, beyond the rules for all. */
export interface RequestRewrite {
  /** The path to send in place of the one that came, without the query. */
  readonly sentPath: string | undefined
  /** Host to send when the request names none, which HTTP/1.0 allows. */
  readonly defaultHost: string
  /** Protocol to upgrade to; its handshake fields pass as they are. */
  readonly upgrade: string | undefined
  /** The client's address, where a trusted peer may have told it; else empty. */
  readonly toldAddress: string
}

let proxyAuthMask = 0
for (let id = 1; id < FIELD_CLASS.length; id++) {
  if ((FIELD_CLASS[id]! & fieldClass.proxyAuth) !== 0) proxyAuthMask |= 1 << id
}

const neverUp = HOP_BY_HOP_MASK | proxyAuthMask
const fromStrangers = neverUp | ORIGIN_MASK
const rewrittenForTrusted = neverUp | (1 << fieldId.xForwardedFor) | (1 << fieldId.xRealIp)

/** Bits of the fields that do not go up as they came: hop-by-hop ones, and what strangers say about their origin. */
export function droppedUpwards(from: Origin): number {
  return from.trusted ? rewrittenForTrusted : fromStrangers
}

/** The chain of addresses that a trusted peer's request goes up with; empty when there is none. */
export function forwardedFor(before: string | undefined, from: Origin): string {
  return [before, from.peer].filter((part) => part !== undefined && part !== '').join(', ')
}
