import { readFileSync } from 'node:fs'

/** The part of the descriptors that clients may take: each unit needs one towards its upstream, and files need some. */
export const shareOfClients = 0.8

/** How many descriptors this process may have open; undefined where the system does not say. */
export function maxDescriptors(): number | undefined {
  try {
    const limit = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
    return limit === undefined || limit === 'unlimited' ? undefined : Number(limit)
  } catch {
    return undefined
  }
}

/** Client connections of all listeners together, at most. */
export function maxConnectionsOfProcess(): number {
  const descriptors = maxDescriptors()
  return descriptors === undefined ? Infinity : Math.floor(descriptors * shareOfClients)
}

/** Descriptors that no client gets: what is under way already may need them, and to see that they run out takes one. */
const maxReserved = 64
const shareReserved = 0.1

/** Clients whose descriptor has this number, or a higher one, are to be refused. */
export function maxClientDescriptor(): number {
  const descriptors = maxDescriptors()
  if (descriptors === undefined) return Infinity
  return descriptors - Math.min(maxReserved, Math.ceil(descriptors * shareReserved))
}
