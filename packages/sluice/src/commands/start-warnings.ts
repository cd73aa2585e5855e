import { readFileSync } from 'node:fs'
import type { Config } from '@sluice/core'
import type { Logger } from 'pino'
import { maxDescriptors, shareOfClients } from '../descriptors.ts'

/** Below this many descriptors a proxy runs out of them sooner than of anything else. */
const fewDescriptors = 4 * 1_024

/** What a machine is asked before a proxy starts on it. */
export interface Machine {
  /** How many descriptors the process may have open; undefined where the system does not say. */
  readonly descriptors: number | undefined
  /** `net.ipv4.tcp_migrate_req`; undefined where there is none. */
  readonly migratesConnects: boolean | undefined
}

/** This machine. */
export function thisMachine(): Machine {
  return { descriptors: maxDescriptors(), migratesConnects: migratesConnects() }
}

function migratesConnects(): boolean | undefined {
  try {
    return readFileSync('/proc/sys/net/ipv4/tcp_migrate_req', 'utf8').trim() !== '0'
  } catch {
    return undefined
  }
}

/** Says what of the machine does not go with the configuration, one line each. `threads`: as many as were started. */
export function warnAtStart(log: Logger, config: Config, threads: number, machine: Machine): void {
  const { descriptors, migratesConnects } = machine
  const wanted = config.listeners.reduce((sum, { maxConnections }) => sum + maxConnections, 0)
  if (descriptors !== undefined) {
    const share = Math.floor(descriptors * shareOfClients)
    if (Number.isFinite(wanted) && wanted > share) {
      log.warn(
        `maxConnections of all listeners are ${wanted} together, of which no more than ${share} will be had: 80 % of ` +
          `the ${descriptors} descriptors of this process (ulimit -n)`,
      )
    }
    if (descriptors < fewDescriptors) {
      log.warn(
        `this process may open no more than ${descriptors} descriptors (ulimit -n), a proxy needs ${fewDescriptors}`,
      )
    }
  }
  if (threads > 1 && migratesConnects === false) {
    log.info(
      'net.ipv4.tcp_migrate_req is 0: when a listener closes, some of those who are connecting at that moment may be reset',
    )
  }
  for (const { name, protocol, pool } of config.upstreams) {
    // A connection of HTTP/2 that one thread uses all the time is never free for another one.
    if (protocol !== 'http1' && pool.maxConnections < threads) {
      log.warn(
        `upstreams.${name}: maxConnections ${pool.maxConnections} is less than the ${threads} threads, which share no ` +
          'connection of HTTP/2: some may wait for one until `timeouts.connect` has passed',
      )
    }
  }
}
