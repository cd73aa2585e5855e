import { availableParallelism } from 'node:os'
import { StartError } from '../start-error.ts'

/** Systems on which several sockets can share a port so that the kernel spreads connections over them. */
const portSharing: readonly NodeJS.Platform[] = ['linux', 'freebsd', 'sunos', 'aix']

/** How many data-plane threads there are to be; 0: none but the calling thread. Throws a `StartError`. */
export function threadCount(asked: number | 'auto'): number {
  const shares = portSharing.includes(process.platform)
  if (asked === 'auto') return shares ? availableParallelism() : 1
  if (asked <= 1 || shares) return asked
  const why = `This system (${process.platform}) cannot share a port among threads: write \`threads: 1\` or \`auto\`.`
  throw new StartError(why, 1, ['threads'])
}
