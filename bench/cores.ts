import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'

/** Expands the kernel's list notation, `0-2,5` to [0, 1, 2, 5]. */
export function expandCpuList(list: string): number[] {
  return list
    .trim()
    .split(',')
    .flatMap((part) => {
      const [from, to] = part.split('-').map(Number)
      if (from === undefined || Number.isNaN(from)) return []
      return Array.from({ length: (to ?? from) - from + 1 }, (_, at) => from + at)
    })
}

function allowedCores(): number[] {
  try {
    const status = readFileSync('/proc/self/status', 'utf8')
    return expandCpuList(/^Cpus_allowed_list:\s*(\S+)/m.exec(status)?.[1] ?? '0')
  } catch {
    return Array.from({ length: availableParallelism() }, (_, at) => at)
  }
}

function siblings(core: number): number[] {
  try {
    return expandCpuList(readFileSync(`/sys/devices/system/cpu/cpu${core}/topology/thread_siblings_list`, 'utf8'))
  } catch {
    return [core]
  }
}

const allowed = allowedCores()

/** The core of the proxies. */
export const proxyCore = allowed[0] ?? 0

/**
 * The core of the load generator and the backend.
 *
 * Not a hyper-thread of the proxy's core where there is a choice: two threads of one core slow each other down, and
 * the load would then be part of the proxy's figure.
 */
export const loadCore =
  allowed.find((core) => !siblings(proxyCore).includes(core)) ?? allowed.find((core) => core !== proxyCore) ?? proxyCore

/** What makes the two cores less apart than they should be, as a sentence, if anything does. */
export function coreWarning(): string | undefined {
  if (loadCore === proxyCore) return 'there is only one core: proxy and load share it, and no figure is comparable.'
  if (siblings(proxyCore).includes(loadCore)) {
    return `cores ${proxyCore} and ${loadCore} are two threads of one core: the load slows the proxy down.`
  }
  return undefined
}

/** `command` under taskset, which replaces itself by it: the process id stays the same. */
export function pinnedCommand(core: number, command: string[]): string[] {
  return ['taskset', '-c', String(core), ...command]
}
