import { type ConfigInput, createProxy, type ExchangeRecord, type Proxy } from '../../../sluice/src/index.ts'
import {
  dataFrame,
  frame,
  h2,
  headersFrame,
  type RawFields,
  RawHttp2,
  settingsFrame,
} from '../../../testkit/src/http2/index.ts'
import { eventually, RawClient, type RawConnection, RawServer } from '../../../testkit/src/raw/index.ts'

/** A version of HTTP. */
export type Version = 1 | 2

/** The version that the client speaks, and that the upstream does. */
export interface Pair {
  readonly client: Version
  readonly upstream: Version
}

/** All pairs. */
export const pairs: readonly Pair[] = [1, 2].flatMap((client) =>
  [1, 2].map((upstream) => ({ client: client as Version, upstream: upstream as Version })),
)

/** `1→2` and the like. */
export const nameOf = ({ client, upstream }: Pair): string => `${client}→${upstream}`

/** What either side of a pair sends, in words that both versions know. */
export interface Sent {
  /** In the letter case of HTTP/1.1; lower-cased for HTTP/2. */
  readonly fields?: RawFields
  readonly body?: string
  /** The length is said, or only where the body ends. Default: `known` when there is a body. */
  readonly length?: 'known' | 'unknown'
  readonly trailers?: RawFields
}

/** A request. */
export interface SentRequest extends Sent {
  /** Default: GET. */
  readonly method?: string
  /** Default: `/`. */
  readonly target?: string
  /** Default: `a.test`; null: none. */
  readonly host?: string | null
}

/** A response. */
export interface SentResponse extends Sent {
  /** Default: 200. */
  readonly status?: number
  /** Interim responses before it. */
  readonly interim?: readonly { readonly status: number; readonly fields?: RawFields }[]
}

/** A message as it came. */
export interface Came {
  /** Names in the letter case in which they came, framing and all. */
  readonly raw: RawFields
  /** Names in lower case, without Host, framing and pseudo-fields. */
  readonly fields: RawFields
  /** Content-Length; `unknown`: chunked, or of HTTP/2 a body without it; undefined: no body is announced. */
  readonly length: number | 'unknown' | undefined
  readonly body: string
  /** Names in lower case. */
  readonly trailers: RawFields
}

/** A request as an upstream sees it. */
export interface CameRequest extends Came {
  readonly method: string
  readonly target: string
  readonly host: string | undefined
}

/** A response as a client sees it. */
export interface CameResponse extends Came {
  readonly status: number
  readonly interim: readonly { readonly status: number; readonly fields: RawFields }[]
}

const framing = new Set(['host', 'content-length', 'transfer-encoding', 'connection', 'keep-alive', 'trailer'])

function plain(raw: RawFields): RawFields {
  return raw
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .filter(([name]) => !framing.has(name) && !name.startsWith(':'))
}

/** The value of a field, those of a repeated one joined; names in any letter case. */
export function valueOf(fields: RawFields, wanted: string): string | undefined {
  const values = fields.filter(([name]) => name.toLowerCase() === wanted).map(([, value]) => value)
  return values.length === 0 ? undefined : values.join(', ')
}

const lines = (fields: RawFields) => fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')
const lower = (fields: RawFields) => fields.map(([name, value]) => [name.toLowerCase(), value] as const)

function http1Bytes(startLine: string, { fields = [], body, length, trailers }: Sent): string {
  const chunked = length === 'unknown' || trailers !== undefined
  const said =
    body === undefined && !chunked
      ? ''
      : chunked
        ? 'Transfer-Encoding: chunked\r\n'
        : `Content-Length: ${body!.length}\r\n`
  const content = body ?? ''
  const chunk = content === '' ? '' : `${content.length.toString(16)}\r\n${content}\r\n`
  return `${startLine}\r\n${lines(fields)}${said}\r\n${chunked ? `${chunk}0\r\n${lines(trailers ?? [])}\r\n` : content}`
}

function http2Bytes(id: number, pseudo: RawFields, { fields = [], body, length, trailers }: Sent): Buffer {
  const known = body !== undefined && length !== 'unknown' && trailers === undefined
  const said: RawFields = known ? [['content-length', String(body.length)]] : []
  const head = [...pseudo, ...lower(fields), ...said]
  const more = (body !== undefined && body !== '') || length === 'unknown' || trailers !== undefined
  const frames = [headersFrame(id, head, more ? h2.endHeaders : h2.endHeaders | h2.endStream)]
  if (more && (body ?? '') !== '') frames.push(dataFrame(id, body!, { end: trailers === undefined }))
  else if (more && trailers === undefined) frames.push(dataFrame(id, '', { end: true }))
  if (trailers !== undefined) frames.push(headersFrame(id, lower(trailers)))
  return Buffer.concat(frames)
}

function fieldOf(line: string): readonly [string, string] {
  const colon = line.indexOf(':')
  return [line.slice(0, colon), line.slice(colon + 1).trim()]
}

async function readHead(connection: RawConnection): Promise<{ startLine: string; raw: RawFields }> {
  const [startLine = '', ...rest] = (await connection.readHead()).trimEnd().split('\r\n')
  return { startLine, raw: rest.map(fieldOf) }
}

async function readBody(connection: RawConnection, raw: RawFields, bodiless: boolean): Promise<Came> {
  const fields = plain(raw)
  const said = valueOf(raw, 'content-length')
  if (valueOf(raw, 'transfer-encoding') !== undefined && !bodiless) {
    let body = ''
    for (;;) {
      const size = Number.parseInt((await connection.readUntil('\r\n')).toString('latin1'), 16)
      if (size === 0) break
      body += (await connection.readExactly(size + 2)).toString('latin1').slice(0, -2)
    }
    const rest = (await connection.readUntil(/^(?:.+\r\n)*\r\n/)).toString('latin1').trimEnd()
    const trailers = rest === '' ? [] : rest.split('\r\n').map(fieldOf)
    return { raw, fields, length: 'unknown', body, trailers: lower(trailers) }
  }
  const length = said === undefined ? undefined : Number(said)
  const body = bodiless || length === undefined ? '' : (await connection.readExactly(length)).toString('latin1')
  return { raw, fields, length, body, trailers: [] }
}

class StreamWasReset extends Error {}

/** An upstream goes on when a request is given up. */
function givenUp(error: unknown): undefined {
  if (!(error instanceof StreamWasReset)) throw error
}

async function readHttp2(peer: RawHttp2, id: number): Promise<{ came: Came; heads: RawFields[] }> {
  const heads: RawFields[] = []
  let raw: RawFields | undefined
  let body = ''
  let trailers: RawFields = []
  for (let ended = false; !ended; ) {
    const one = await peer.next({ id })
    if (one.type === h2.rstStream) throw new StreamWasReset(`stream ${id}, with ${one.payload.readUInt32BE()}`)
    if (one.type === h2.data) body += one.payload.toString('latin1')
    else if (one.fields !== undefined) {
      if (valueOf(one.fields, ':status')?.startsWith('1') === true) heads.push(one.fields)
      else if (raw === undefined) raw = one.fields
      else trailers = one.fields
    }
    if (one.type <= h2.headers && (one.flags & h2.endStream) !== 0) {
      ended = true
      if (one.type === h2.headers && trailers.length === 0 && body === '') {
        const said = valueOf(raw!, 'content-length')
        return {
          heads,
          came: {
            raw: raw!,
            fields: plain(raw!),
            length: said === undefined ? undefined : Number(said),
            body,
            trailers,
          },
        }
      }
    }
  }
  const said = valueOf(raw!, 'content-length')
  return {
    heads,
    came: { raw: raw!, fields: plain(raw!), length: said === undefined ? 'unknown' : Number(said), body, trailers },
  }
}

/** Parts of the configuration over the usual one. `up` is the name of the upstream. */
export interface FourPairsOptions {
  readonly listener?: (up: string) => Record<string, unknown>
  readonly upstream?: Record<string, unknown>
}

/** A proxy before an upstream of either version. */
export class FourPairs {
  readonly proxy: Proxy
  readonly accounts: ExchangeRecord[]
  readonly faults: unknown[]
  readonly #servers: readonly RawServer[]
  readonly #clients: RawClient[] = []
  /** Requests that reached an upstream. */
  readonly seen: CameRequest[] = []
  #answer: SentResponse = { body: 'ok' }

  private constructor(
    proxy: Proxy,
    servers: readonly RawServer[],
    heard: { faults: unknown[]; accounts: ExchangeRecord[] },
  ) {
    this.proxy = proxy
    this.#servers = servers
    this.faults = heard.faults
    this.accounts = heard.accounts
  }

  static async start({
    listener = (up) => ({ upstream: up }),
    upstream = {},
  }: FourPairsOptions = {}): Promise<FourPairs> {
    let all: FourPairs
    const one = await RawServer.start((connection) => all.#serveHttp1(connection))
    const two = await RawServer.start((connection) => all.#serveHttp2(connection))
    const shared = { bind: '127.0.0.1:0', protocol: 'http' }
    const config = {
      listeners: { to1: { ...shared, ...listener('one') }, to2: { ...shared, ...listener('two') } },
      upstreams: {
        one: { endpoints: [`127.0.0.1:${one.port}`], ...upstream },
        two: { endpoints: [`127.0.0.1:${two.port}`], protocol: 'http2', ...upstream },
      },
    } as unknown as ConfigInput
    const faults: unknown[] = []
    const accounts: ExchangeRecord[] = []
    const proxy = await createProxy(config, {
      onFault: (fault) => faults.push(fault),
      onExchange: (record) => accounts.push(record),
    })
    await proxy.listen()
    all = new FourPairs(proxy, [one, two], { faults, accounts })
    return all
  }

  /** The port of the listener before that version. */
  port(upstream: Version): number {
    return (this.proxy.addresses[`to${upstream}`] as { port: number }).port
  }

  async #serveHttp1(connection: RawConnection): Promise<void> {
    for (;;) {
      const { startLine, raw } = await readHead(connection)
      const [method = '', target = ''] = startLine.split(' ')
      const came = await readBody(connection, raw, false)
      this.seen.push({ ...came, method, target, host: valueOf(raw, 'host') })
      const { status = 200, interim = [] } = this.#answer
      for (const hint of interim) await connection.write(`HTTP/1.1 ${hint.status} X\r\n${lines(hint.fields ?? [])}\r\n`)
      await connection.write(http1Bytes(`HTTP/1.1 ${status} X`, this.#answer))
    }
  }

  async #serveHttp2(connection: RawConnection): Promise<void> {
    const peer = await RawHttp2.accept(connection)
    for (let id = 1; ; id += 2) {
      const request = await readHttp2(peer, id).catch(givenUp)
      if (request === undefined) continue
      const { came } = request
      const value = (name: string) => valueOf(came.raw, name)
      this.seen.push({ ...came, method: value(':method')!, target: value(':path') ?? '', host: value(':authority') })
      const { status = 200, interim = [] } = this.#answer
      for (const hint of interim) {
        const fields: RawFields = [[':status', String(hint.status)], ...lower(hint.fields ?? [])]
        await peer.send(headersFrame(id, fields, h2.endHeaders))
      }
      await peer.send(http2Bytes(id, [[':status', String(status)]], this.#answer))
    }
  }

  async connect(upstream: Version): Promise<RawClient> {
    const client = await RawClient.connect({ port: this.port(upstream), timeoutMs: 4_000 })
    this.#clients.push(client)
    return client
  }

  /** A client of HTTP/2 whose session stands. */
  async session(upstream: Version): Promise<RawHttp2> {
    const peer = new RawHttp2(await this.connect(upstream))
    await peer.send(Buffer.from(h2.preface, 'latin1'), settingsFrame())
    await peer.next({ type: h2.settings })
    await peer.send(frame(h2.settings, { flags: h2.ack }))
    await peer.next({ type: h2.settings, flags: h2.ack })
    return peer
  }

  /** Sends a request over a pair, has it answered, and gives back what either end saw; `up` only when it got there. */
  async pass(
    { client, upstream }: Pair,
    request: SentRequest = {},
    response: SentResponse = {},
  ): Promise<{ up: CameRequest | undefined; down: CameResponse }> {
    this.#answer = response
    const before = this.seen.length
    const down = client === 1 ? await this.#ask1(upstream, request) : await this.#ask2(upstream, request)
    return { up: this.seen[before], down }
  }

  async #ask1(upstream: Version, request: SentRequest): Promise<CameResponse> {
    const { method = 'GET', target = '/', host = 'a.test', fields = [] } = request
    const client = await this.connect(upstream)
    const withHost: RawFields = host === null ? fields : [['Host', host], ...fields]
    await client.write(http1Bytes(`${method} ${target} HTTP/1.1`, { ...request, fields: withHost }))
    const interim: { status: number; fields: RawFields }[] = []
    for (;;) {
      const { startLine, raw } = await readHead(client)
      const status = Number(startLine.split(' ')[1])
      if (status < 200) {
        interim.push({ status, fields: plain(raw) })
        continue
      }
      const bodiless = method === 'HEAD' || status === 204 || status === 304
      return { ...(await readBody(client, raw, bodiless)), status, interim }
    }
  }

  async #ask2(upstream: Version, request: SentRequest): Promise<CameResponse> {
    const { method = 'GET', target = '/', host = 'a.test' } = request
    const peer = await this.session(upstream)
    const authority: RawFields = host === null ? [] : [[':authority', host]]
    const pseudo: RawFields = [[':method', method], [':scheme', 'http'], [':path', target], ...authority]
    await peer.send(http2Bytes(1, pseudo, request))
    const { came, heads } = await readHttp2(peer, 1)
    const interim = heads.map((raw) => ({ status: Number(valueOf(raw, ':status')), fields: plain(raw) }))
    return { ...came, status: Number(valueOf(came.raw, ':status')), interim }
  }

  /** Ends everything, and proves that nothing is left of it. */
  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()))
    try {
      await eventually(
        () => {
          const { exchanges, listeners, upstreams } = this.proxy.stats()
          return (
            exchanges === 0 &&
            listeners.every(({ connections }) => connections === 0) &&
            upstreams.every(({ running }) => running === 0)
          )
        },
        { what: 'nothing left' },
      )
    } finally {
      await this.proxy.close()
      await Promise.all(this.#servers.map((server) => server.close()))
    }
    if (this.faults.length > 0) throw new Error('a handler threw', { cause: this.faults[0] })
  }
}
