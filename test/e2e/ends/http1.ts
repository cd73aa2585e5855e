import { expect } from 'chai'
import {
  eventually,
  parseResponses,
  type RawClient,
  type RawConnection,
  type RawScript,
} from '../../../packages/testkit/src/raw/index.ts'
import {
  type Asker,
  type Beyond,
  type Cell,
  type ClientState,
  type Driver,
  type Expectation,
  type Framing,
  gates,
  type UpstreamEnd,
  type UpstreamScript,
} from './driver.ts'

const get = (path: string, id: string) => `GET ${path}?id=${id} HTTP/1.1\r\nHost: ends.example\r\n\r\n`

const post = (path: string, id: string, framing: Framing, size: number) =>
  `POST ${path}?id=${id} HTTP/1.1\r\nHost: ends.example\r\n${
    framing === 'length' ? `Content-Length: ${size}` : 'Transfer-Encoding: chunked'
  }\r\n\r\n${framing === 'length' ? '' : `${size.toString(16)}\r\n`}`

const clientGone = { fin: 'clientGone', rst: 'clientGone' } as const

async function running({ stage }: Cell): Promise<void> {
  await stage.atGate(gates.upstream, { running: 1 })
}

async function waiting({ stage }: Cell): Promise<void> {
  await stage.atGate(gates.upstream, { waiting: 1 })
}

const always: ClientState[] = [
  {
    name: 'before a byte',
    way: 'free',
    reach: async ({ stage }) => {
      await eventually(() => stage.stats.listeners[0]!.connections === 1)
    },
    reason: { fin: undefined, rst: undefined },
    reaches: false,
  },
  {
    name: 'request head half sent',
    way: 'free',
    reach: ({ client }) => client.write('GET /ok HTTP/1.1\r\nHost: ends.exa'),
    reason: { fin: undefined, rst: undefined },
    reaches: false,
  },
  {
    name: 'idle keep-alive',
    way: 'free',
    reach: async ({ client, id }) => {
      await client.write(get('/ok', id))
      await client.readUntil('done')
    },
    reason: { fin: 'ok', rst: 'ok' },
    reaches: true,
  },
  {
    name: 'queued',
    way: 'shut',
    reach: async (cell) => {
      await cell.client.write(get('/ok', cell.id))
      await waiting(cell)
    },
    reason: clientGone,
    reaches: false,
  },
  {
    name: 'connecting',
    way: 'hanging',
    reach: async (cell) => {
      await cell.client.write(get('/ok', cell.id))
      await eventually(() => cell.stage.stats.upstreams[1]!.endpoints[0]!.connections.connecting === 1)
    },
    reason: clientGone,
    reaches: false,
  },
  {
    name: 'waiting for the head',
    way: 'free',
    reach: async (cell) => {
      await cell.client.write(get('/hang', cell.id))
      await cell.served()
    },
    reason: clientGone,
    reaches: true,
  },
  {
    name: 'waiting for the head, another request behind it',
    way: 'free',
    reach: async (cell) => {
      await cell.client.write(get('/hang', cell.id) + get('/ok', `${cell.id}-behind`))
      await cell.served()
    },
    reason: clientGone,
    reaches: true,
  },
]

const framed = (framing: Framing): ClientState[] => [
  {
    name: `request body half sent (${framing}), still being stored`,
    way: 'free',
    reach: async (cell) => {
      await cell.client.write(`${post('/ok', cell.id, framing, 1_000)}${'x'.repeat(500)}`)
      await eventually(() => cell.stage.stats.exchanges === 1)
    },
    reason: clientGone,
    reaches: false,
  },
  {
    name: `request body half sent (${framing}), going up`,
    way: 'free',
    reach: async (cell) => {
      await cell.client.write(`${post('/ok', cell.id, framing, 200_000)}${'x'.repeat(100_000)}`)
      await cell.served()
    },
    reason: clientGone,
    reaches: true,
  },
  ...[100, 60_000].map(
    (sent): ClientState => ({
      name: `queued, ${sent} bytes of the body sent (${framing})`,
      way: 'shut',
      reach: async (cell) => {
        const chunkEnd = framing === 'length' ? '' : '\r\n0\r\n\r\n'
        await cell.client.write(`${post('/ok', cell.id, framing, sent)}${'x'.repeat(sent)}${chunkEnd}`)
        await waiting(cell)
      },
      reason: clientGone,
      reaches: false,
    }),
  ),
  {
    name: `response body half sent (${framing})`,
    way: 'free',
    reach: async (cell) => {
      await cell.client.write(get(`/half/${framing}`, cell.id))
      await cell.client.readUntil('half')
      await running(cell)
    },
    reason: clientGone,
    reaches: true,
  },
  {
    name: `response body being sent, not read (${framing})`,
    way: 'free',
    reach: async (cell) => {
      cell.client.pause()
      await cell.client.write(get(`/flood/${framing}`, cell.id))
      await cell.served()
    },
    reason: clientGone,
    reaches: true,
  },
]

/** Where a client of HTTP/1.1 may stand. */
export const http1ClientStates: readonly ClientState[] = [...always, ...framed('length'), ...framed('chunked')]

/** Has a request of HTTP/1.1 take the gate. */
export const holdHttp1: Driver['hold'] = (client, id) => client.write(get('/hang', id))

/** Reads one request with its body; a body that never comes whole is read up to its end all the same. */
async function readRequest(
  connection: RawConnection,
  seen: (id: string, connection: RawConnection) => void,
): Promise<string> {
  const head = await connection.readHead()
  const [, path = '', id = ''] = /^[A-Z]+ ([^? ]*)(?:\?id=(\S*))?/.exec(head) ?? []
  seen(id, connection)
  const length = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0)
  for (let left = length; left > 0; ) left -= (await connection.readSome()).length
  if (/^transfer-encoding: chunked/im.test(head)) await connection.readUntil('0\r\n\r\n')
  return path
}

const halfResponses: Readonly<Record<Framing, string>> = {
  length: 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf',
  chunked: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\nhalf',
}

const flood = 8_000_000

/** The upstream of the client ends. */
export function serveHttp1(seen: (id: string, connection: RawConnection) => void): RawScript {
  return async (connection) => {
    void connection.ended.then(() => connection.close())
    for (;;) {
      const path = await readRequest(connection, seen)
      if (path === '/hang') return
      if (path.startsWith('/half/')) return connection.write(halfResponses[path.slice(6) as Framing])
      if (path === '/flood/length') {
        return connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${flood}\r\n\r\n${'x'.repeat(flood)}`)
      }
      if (path === '/flood/chunked') {
        const chunk = `${flood.toString(16)}\r\n${'x'.repeat(flood)}\r\n`
        return connection.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}`)
      }
      await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone')
    }
  }
}

// What an upstream does, and what the client sees.

/** The whole answer is one of ours. */
export const answered =
  (status: number, reason: string | readonly string[], ask = get('/ok', 'x')) =>
  async (client: RawClient): Promise<void> => {
    await client.write(ask)
    const head = await client.readHead()
    const [response] = parseResponses(Buffer.from(head, 'latin1'))
    expect(response!.status).to.equal(status)
    expect([reason].flat()).to.include(response!.header('x-sluice-reason'))
    if (status === 503) expect(response!.header('retry-after')).to.match(/^\d+$/)
  }

/** The head came through; the body ends in a way that nobody can take for its end. */
const cut = (framing: Framing) => async (client: RawClient) => {
  await client.write(get('/ok', 'x'))
  const bytes = await client.readToEnd()
  const [response] = parseResponses(bytes)
  expect(response!.status).to.equal(200)
  expect(response!.framing).to.equal(framing)
  expect(response!.complete, 'complete').to.equal(false)
}

const whole = (body: string) => async (client: RawClient) => {
  await client.write(get('/ok', 'x'))
  const head = await client.readHead()
  const rest = await client.readUntil(/^Content-Length:/im.test(head) ? body : '0\r\n\r\n')
  const [response] = parseResponses(Buffer.concat([Buffer.from(head, 'latin1'), rest]), { ended: false })
  expect(response!.body.toString('latin1')).to.equal(body)
}

const answeredAfterHint = (status: number, reason: string) => async (client: RawClient) => {
  await client.write(get('/ok', 'x'))
  expect(await client.readHead()).to.match(/^HTTP\/1.1 103 /)
  const [response] = parseResponses(Buffer.from(await client.readHead(), 'latin1'))
  expect(response!.status).to.equal(status)
  expect(response!.header('x-sluice-reason')).to.equal(reason)
}

/** A client of HTTP/1.1. */
export const http1Asker: Asker = {
  answered: (status, reason) => answered(status, reason),
  answeredAfterHint,
  cut,
  whole,
}

const afterHead =
  (then: UpstreamScript): UpstreamScript =>
  async (connection, beyond) => {
    await connection.readHead()
    await then(connection, beyond)
  }

/** RST throws away what has not been read: it waits until some of it has come through to the client. */
const writeThenReset =
  (bytes: string): UpstreamScript =>
  async (connection, { clientBytes, clientHasBytes }) => {
    const before = clientBytes()
    await connection.write(bytes)
    await clientHasBytes(before)
    connection.rst()
  }

async function writeThenFin(connection: RawConnection, bytes: string): Promise<void> {
  await connection.write(bytes)
  await connection.fin()
}

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone'

/** An RST may be read before the connection has been used, or after. */
export const eitherReset = ['connectFailed', 'upstreamReset']

/** What an upstream of HTTP/1.1 may do. */
export const http1UpstreamEnds = ({ answered, answeredAfterHint, cut, whole }: Asker): UpstreamEnd[] => [
  { name: 'refuses', script: 'refuses', expects: answered(502, 'connectFailed'), reason: 'connectFailed' },
  { name: 'hangs at connect', script: 'hangs', expects: answered(504, 'connectTimeout'), reason: 'connectTimeout' },
  {
    name: 'RST at accept',
    script: (one) => one.rst(),
    expects: answered(502, eitherReset),
    reason: eitherReset,
  },
  {
    name: 'RST after the request',
    script: afterHead((one) => one.rst()),
    expects: answered(502, 'upstreamReset'),
    reason: 'upstreamReset',
  },
  ...(
    [
      ['RST after a 103', ''],
      // That the client has the 103 says that the proxy has this as well.
      ['RST in the response head, behind a 103', 'HTTP/1.1 200 OK\r\nConte'],
    ] as const
  ).map(
    ([name, begun]): UpstreamEnd => ({
      name,
      script: afterHead(writeThenReset(`HTTP/1.1 103 Early Hints\r\n\r\n${begun}`)),
      expects: answeredAfterHint(502, 'upstreamReset'),
      reason: 'upstreamReset',
    }),
  ),
  ...(['length', 'chunked'] as const).flatMap((framing): UpstreamEnd[] => [
    {
      name: `RST in the body (${framing})`,
      script: afterHead(writeThenReset(halfResponses[framing])),
      expects: cut(framing),
      reason: 'upstreamReset',
    },
    {
      name: `FIN in the body (${framing})`,
      script: afterHead((one) => writeThenFin(one, halfResponses[framing])),
      expects: cut(framing),
      reason: 'upstreamReset',
    },
  ]),
  {
    name: 'FIN at accept',
    script: (one) => one.fin(),
    expects: answered(502, 'upstreamReset'),
    reason: 'upstreamReset',
  },
  {
    name: 'FIN after the request',
    script: afterHead((one) => one.fin()),
    expects: answered(502, 'upstreamReset'),
    reason: 'upstreamReset',
  },
  {
    name: 'FIN in the response head',
    script: afterHead((one) => writeThenFin(one, 'HTTP/1.1 200 OK\r\nConte')),
    expects: answered(502, 'upstreamReset'),
    reason: 'upstreamReset',
  },
  {
    name: 'FIN at the end of a body that ends with the connection',
    script: afterHead((one) => writeThenFin(one, 'HTTP/1.1 200 OK\r\n\r\nall of it')),
    expects: whole('all of it'),
    reason: 'ok',
  },
  {
    name: 'RST in a body that ends with the connection',
    script: afterHead(writeThenReset('HTTP/1.1 200 OK\r\n\r\nhalf of it')),
    expects: cut('chunked'),
    reason: 'upstreamReset',
  },
  {
    name: 'garbage',
    script: afterHead((one) => one.write('\u0000\u0001\u0002SSH-2.0-whatever\r\n\r\n')),
    expects: answered(502, 'upstreamInvalid'),
    reason: 'upstreamInvalid',
  },
  {
    name: 'garbage in place of a chunk',
    script: afterHead((one) => one.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n')),
    expects: cut('chunked'),
    reason: 'upstreamInvalid',
  },
  {
    name: 'an endless head',
    script: afterHead((one) => one.write(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(100_000)}`)),
    expects: answered(502, 'upstreamInvalid'),
    reason: 'upstreamInvalid',
  },
  {
    name: 'an unasked 101',
    script: afterHead((one) =>
      one.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: foo\r\nConnection: upgrade\r\n\r\n'),
    ),
    expects: answered(502, 'upstreamInvalid'),
    reason: 'upstreamInvalid',
  },
  {
    name: 'surplus bytes after the response',
    script: afterHead((one) => one.write(`${ok}surplus`)),
    expects: notReused(whole('done')),
    reason: 'ok',
  },
  {
    name: 'a second response unasked',
    script: afterHead(async (one, { connections }) => {
      await one.write(ok)
      await eventually(() => connections().idle === 1)
      await one.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nothers')
    }),
    expects: notReused(whole('done')),
    reason: 'ok',
  },
  {
    name: 'FIN while idle',
    script: afterHead((one) => writeThenFin(one, ok)),
    expects: notReused(whole('done')),
    reason: 'ok',
  },
  {
    name: 'no answer',
    script: afterHead(() => undefined),
    expects: answered(504, 'responseTimeout'),
    reason: 'responseTimeout',
  },
]

/** The connection is not kept, and the next request is served on another one. */
export const notReused =
  (served: Expectation) =>
  async (client: RawClient, { connections }: Beyond): Promise<void> => {
    await served(client)
    await eventually(() => connections().idle === 0)
    await served(client)
  }

/** HTTP/1.1 from client to upstream. */
export const http1 = (options: { secure: boolean }): Driver => ({
  name: options.secure ? 'http 1→1 under TLS' : 'http 1→1',
  protocol: 'http',
  secure: options.secure,
  script: serveHttp1,
  hold: holdHttp1,
  clientStates: http1ClientStates,
  upstreamEnds: options.secure ? [] : http1UpstreamEnds(http1Asker),
})
