import {
  type Config,
  type ConfigError,
  type ConfigInput,
  type EndpointConfig,
  endpointId,
  formatAddress,
  nearest,
  parseConfigObject,
} from '@sluice/core'
import { gatesOf, type LimitsPatch } from '../config-changes.ts'
import type { Proxy } from '../proxy.ts'
import type { Reloaded } from '../proxy-options.ts'
import { StartError } from '../start-error.ts'
import type { Reply } from './resource.ts'

/** `POST /reload`. */
export async function reload(proxy: Proxy): Promise<Reply> {
  const { reloadFile } = proxy
  if (reloadFile === undefined) {
    return { status: 409, body: { error: 'the configuration does not come from a file: there is nothing to reload' } }
  }
  return await reloaded(reloadFile)
}

/** `PATCH /gates/ID`: limits of one gate, until the next reload. */
export function patchGate(proxy: Proxy, id: string, body: unknown): Reply {
  const gates = gatesOf(proxy.config)
  const gate = gates.get(id)
  if (gate === undefined) return noGate(id, [...gates.keys()])
  const patch = parsePatch(body, gate.limit)
  if (patch.mistakes !== undefined) return refused('the gate stays as it is', patch.mistakes)
  proxy.setLimits(id, patch)
  const { limit, queue, timeoutMs } = gatesOf(proxy.config).get(id)!
  return { status: 200, body: { id, limit, queue, timeoutMs: timeoutMs === Infinity ? null : timeoutMs } }
}

/** `PUT /upstreams/NAME/endpoints`: the endpoints of one upstream, until the next reload. */
export async function putEndpoints(proxy: Proxy, name: string, body: unknown): Promise<Reply> {
  // An upstream that stands for an address has that address as its name.
  const names = proxy.config.upstreams.map((upstream) => upstream.name).filter((one) => !one.includes(':'))
  if (!names.includes(name))
    return { status: 404, body: { error: `there is no upstream \`${name}\`.${hint(name, names)}` } }
  const parsed = parseEndpoints(proxy, name, body)
  if (parsed.mistakes !== undefined) return refused('the endpoints stay as they are', parsed.mistakes)
  return await reloaded(() => proxy.setEndpoints(name, parsed.endpoints))
}

/** What is wrong, with its place in the file or in the body. */
interface Mistake {
  readonly place?: string
  readonly path: string
  readonly message: string
  readonly hint?: string | undefined
}

const refused = (what: string, mistakes: readonly Mistake[]): Reply => ({
  status: 422,
  body: { error: what, mistakes },
})

async function reloaded(change: () => Promise<Reloaded>): Promise<Reply> {
  try {
    return { status: 200, body: await change() }
  } catch (error) {
    if (!(error instanceof StartError)) throw error
    const { mistakes, message } = error
    const all = mistakes.length === 0 ? [{ path: '', message }] : mistakes.map(mistakeOf)
    return refused('the configuration stays as it is', all)
  }
}

function mistakeOf({ file, line, column, path, message, hint }: ConfigError): Mistake {
  const place = [file, line, column].filter((part) => part !== undefined).join(':')
  return { ...(place === '' ? {} : { place }), path, message, ...(hint === undefined ? {} : { hint }) }
}

function noGate(id: string, ids: readonly string[]): Reply {
  const endpoint = id.startsWith('endpoint:') ? ' Limits of endpoints: PUT /upstreams/NAME/endpoints.' : ''
  return { status: 404, body: { error: `there is no gate \`${id}\`.${endpoint || hint(id, ids)}` } }
}

function hint(word: string, known: readonly string[]): string {
  const near = nearest(word, known)
  if (near !== undefined) return ` Did you mean \`${near}\`?`
  return known.length > 0 && known.length <= 20 ? ` There are ${known.join(', ')}.` : ''
}

const patchKeys = ['limit', 'queue', 'timeout']

// The schema itself judges what is sent here, in a configuration around it that is as small as can be: so bounds and
// words are those of the file.
const around = { listeners: { x: { bind: ':1', protocol: 'tcp', upstream: 'tcp://localhost:1' } } } as const

function parsePatch(body: unknown, limit: number): (LimitsPatch & { mistakes?: never }) | { mistakes: Mistake[] } {
  if (typeof body !== 'object' || body === null || Array.isArray(body) || Object.keys(body).length === 0) {
    return { mistakes: [{ path: '', message: 'Write an object with `limit`, `queue` or `timeout`.' }] }
  }
  const unknown = Object.keys(body).filter((key) => !patchKeys.includes(key))
  const gate = { limit, ...body }
  const result = parseConfigObject({ ...around, gates: { gate: without(gate, unknown) } } as ConfigInput)
  const mistakes = [
    ...unknown.map((key) => ({ path: key, message: `The key \`${key}\` is not known.${hint(key, patchKeys)}` })),
    ...(result.errors ?? []).map((error) => ({ ...mistakeOf(error), path: error.path.replace(/^gates\.gate\.?/, '') })),
  ]
  if (mistakes.length > 0 || result.config === undefined) return { mistakes }
  const checked = result.config.gates[0]!
  return {
    limit: checked.limit,
    ...('queue' in body ? { queue: checked.queue } : {}),
    ...('timeout' in body ? { timeoutMs: checked.timeoutMs } : {}),
  }
}

const without = (record: object, keys: readonly string[]): object =>
  Object.fromEntries(Object.entries(record).filter(([key]) => !keys.includes(key)))

function parseEndpoints(
  proxy: Proxy,
  name: string,
  body: unknown,
): { endpoints: EndpointConfig[]; mistakes?: never } | { mistakes: Mistake[] } {
  const { tls } = proxy.config.upstreams.find((upstream) => upstream.name === name)!
  const listeners = protocolsTo(proxy.config, name).map((protocol, i) => [
    `x${i}`,
    { bind: `127.0.0.1:${i + 1}`, protocol, upstream: 'upstream' },
  ])
  const upstreams = { upstream: { endpoints: body, ...(tls === undefined ? {} : { tls: {} }) } }
  const input = { listeners: { ...around.listeners, ...Object.fromEntries(listeners) }, upstreams } as ConfigInput
  const result = parseConfigObject(input, { baseDir: proxy.baseDir })
  if (result.errors !== undefined) {
    // What each listener finds fault with is the same.
    const messages = new Map(result.errors.map((error) => [`${error.path} ${error.message}`, error]))
    const here = (text: string) =>
      text.replace(/upstreams\.upstream\.endpoints|listeners\.x\d*\.upstream/g, 'endpoints')
    return {
      mistakes: [...messages.values()].map((error) => {
        const mistake = mistakeOf(error)
        const message = here(mistake.message).replaceAll('`upstream`', `\`${name}\``)
        return { ...mistake, path: here(mistake.path), message }
      }),
    }
  }
  const { endpoints } = result.config.upstreams.find((upstream) => upstream.name === 'upstream')!
  return { endpoints: endpoints.map((one) => ({ ...one, id: endpointId(name, formatAddress(one.address)) })) }
}

/** The protocols of the listeners that send something to an upstream: its endpoints must speak them all. */
function protocolsTo({ listeners }: Config, upstream: string): string[] {
  const those = listeners.filter(({ routes }) =>
    routes.some(({ action }) => action.kind === 'forward' && action.upstream === upstream),
  )
  return [...new Set(those.map(({ protocol }) => protocol))]
}
