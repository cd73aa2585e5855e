import { checkCertificates } from '../certificates.ts'
import { checkTranscoding } from '../engine/handlers.ts'
import { StartError } from '../start-error.ts'
import { defaultFile, describeStartError, loadFile } from './load.ts'

/** `sluice check [FILE]`: everything that is wrong with a configuration, or one line that says what is in it. */
export async function check(file = defaultFile): Promise<0> {
  const loaded = loadFile(file)
  const { listeners, upstreams, gates } = loaded.config
  try {
    // Nothing is bound; but certificates are read, and must fit their keys, and what JSON is made of is read as well.
    checkCertificates(loaded.config)
    await checkTranscoding(loaded.config)
  } catch (error) {
    if (!(error instanceof StartError)) throw error
    throw new StartError(describeStartError(error, loaded.placeOf), 2)
  }
  const routes = listeners.reduce((sum, listener) => sum + listener.routes.length, 0)
  const used = new Set([
    ...gates.map(({ id }) => id),
    ...listeners.flatMap(({ gate, routes }) => [gate?.id, ...routes.map((route) => route.gate?.id)]),
    ...upstreams.map(({ gate }) => gate?.id),
  ])
  used.delete(undefined)
  const parts = [
    count(listeners.length, 'listener'),
    count(routes, 'route'),
    count(upstreams.length, 'upstream'),
    count(used.size, 'gate'),
  ]
  console.log(`${file} is fine: ${parts.join(', ')}`)
  return 0
}

const count = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? '' : 's'}`
