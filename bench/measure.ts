import { readFileSync, readdirSync } from 'node:fs'

/** Seconds of CPU time, as the kernel accounts them to a process with all its threads. */
export interface CpuTime {
  user: number
  system: number
}

/** `/proc` counts in USER_HZ, which the kernel fixes at 100 for every architecture that Node runs on. */
const ticksPerSecond = 100

/** The fields of `/proc/PID/stat` from the third on (the second may contain blanks and parentheses). */
function statFields(path: string): string[] {
  const text = readFileSync(path, 'utf8')
  return text.slice(text.lastIndexOf(')') + 2).split(' ')
}

/** CPU time of `pids` so far, without their ended children. Throws when one of them has ended. */
export function cpuTime(pids: readonly number[]): CpuTime {
  const sum: CpuTime = { user: 0, system: 0 }
  for (const pid of pids) {
    const fields = statFields(`/proc/${pid}/stat`)
    sum.user += Number(fields[11]) / ticksPerSecond
    sum.system += Number(fields[12]) / ticksPerSecond
  }
  return sum
}

/** Peak resident memory in bytes, summed over `pids`. */
export function peakRss(pids: readonly number[]): number {
  let sum = 0
  for (const pid of pids) {
    const match = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
    sum += Number(match?.[1] ?? 0) * 1024
  }
  return sum
}

/** `pid` and all its descendants. */
export function processTree(pid: number): number[] {
  const childrenOf = new Map<number, number[]>()
  for (const name of readdirSync('/proc')) {
    const id = Number(name)
    if (!Number.isInteger(id)) continue
    try {
      const parent = Number(statFields(`/proc/${id}/stat`)[1])
      const children = childrenOf.get(parent)
      if (children === undefined) childrenOf.set(parent, [id])
      else children.push(id)
    } catch {
      // It ended while we read.
    }
  }
  const tree = [pid]
  for (const parent of tree) tree.push(...(childrenOf.get(parent) ?? []))
  return tree
}

/**
 * Seconds that a core has been busy with processes (user, nice, system) and stolen by the hypervisor.
 *
 * Interrupts are left out: those of loopback traffic belong to whoever sends.
 */
export function coreBusy(core: number): number {
  const line = readFileSync('/proc/stat', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`cpu${core} `))
  const [user = 0, nice = 0, system = 0, , , , , steal = 0] = (line ?? '').split(' ').slice(1).map(Number)
  return (user + nice + system + steal) / ticksPerSecond
}

/** The value below which a share `quantile` of sorted `values` lies (nearest rank). NaN when there are none. */
export function percentile(values: ArrayLike<number>, quantile: number): number {
  if (values.length === 0) return Number.NaN
  return values[Math.max(0, Math.ceil(values.length * quantile) - 1)]!
}

/** The middle of `values`, the mean of the two middle ones for an even count. */
export function median(values: readonly number[]): number {
  if (values.length === 0) return Number.NaN
  const sorted = values.toSorted((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2
}
