import { expect } from 'chai'
import {
  dataFrame,
  h2,
  headersFrame,
  pingFrame,
  type RawFields,
  type RawFrame,
  type RawHttp2,
  requestFields,
  rstFrame,
} from '../../../packages/testkit/src/http2/index.ts'
import { eventually, type RawClient } from '../../../packages/testkit/src/raw/index.ts'
import { begin } from '../http2/upstream.ts'
import { type Asker, type Cell, type ClientState, type Framing, gates } from './driver.ts'

/** What the requests of a column are: plain ones, or calls of gRPC. */
export type Kind = 'http' | 'grpc'

/** One client's session, and the stream that it opens next. */
interface Spoken {
  readonly peer: RawHttp2
  nextId: number
}

const sessions = new WeakMap<RawClient, Promise<Spoken>>()

async function shaken(client: RawClient): Promise<Spoken> {
  return { peer: await begin(client), nextId: 1 }
}

/** The session on a client's connection: begun once. */
function speak(client: RawClient): Promise<Spoken> {
  let session = sessions.get(client)
  if (session === undefined) sessions.set(client, (session = shaken(client)))
  return session
}

const callFields: RawFields = [
  ['content-type', 'application/grpc'],
  ['te', 'trailers'],
]

/** A message of gRPC with ten bytes. */
const message = Buffer.concat([Buffer.from([0, 0, 0, 0, 10]), Buffer.alloc(10, 'm')])

interface Asked {
  readonly path: string
  readonly id: string
  /** The Content-Length; undefined: none. */
  readonly length?: number
}

/** The head of a request that a body follows. */
function head(kind: Kind, stream: number, { path, id, length }: Asked): Buffer {
  const more: RawFields = [
    ...(kind === 'grpc' ? callFields : []),
    ...(length === undefined ? [] : [['content-length', String(length)] as const]),
  ]
  return headersFrame(stream, requestFields(`${path}?id=${id}`, 'POST', more), h2.endHeaders)
}

/** A whole request. */
function whole(kind: Kind, stream: number, path: string, id: string): Buffer {
  if (kind === 'http') return headersFrame(stream, requestFields(`${path}?id=${id}`))
  return Buffer.concat([head(kind, stream, { path, id }), dataFrame(stream, message, { end: true })])
}

/** A body in frames of 10,000 bytes. */
function body(stream: number, bytes: number, end = false): Buffer {
  const frames: Buffer[] = []
  for (let left = bytes; left > 0; left -= 10_000) {
    frames.push(dataFrame(stream, Buffer.alloc(Math.min(left, 10_000), 'x'), { end: end && left <= 10_000 }))
  }
  return Buffer.concat(frames)
}

/** Has a request take the gate. */
export const holdHttp2 =
  (kind: Kind) =>
  async (client: RawClient, id: string): Promise<void> => {
    const { peer } = await speak(client)
    await peer.send(whole(kind, 1, '/hang', id))
  }

/** RST_STREAM for the first stream; the session answers a PING after it. */
export async function resetStream(client: RawClient): Promise<void> {
  client.resume()
  const { peer } = await speak(client)
  await peer.send(rstFrame(1, 8), pingFrame('stillon?'))
  const pong = await peer.next({ type: h2.ping, flags: h2.ack })
  expect(pong.payload.toString()).to.equal('stillon?')
}

const gone = { fin: 'clientGone', rst: 'clientGone', reset: 'clientGone' } as const
const none = { fin: undefined, rst: undefined } as const

async function waiting({ stage }: Cell): Promise<void> {
  await stage.atGate(gates.upstream, { waiting: 1 })
}

const beforeStreams: readonly ClientState[] = [
  {
    name: 'before a byte',
    way: 'free',
    reach: async ({ stage }) => {
      await eventually(() => stage.stats.listeners[0]!.connections === 1)
    },
    reason: none,
    reaches: false,
  },
  {
    name: 'preface half sent',
    way: 'free',
    reach: ({ client }) => client.write(h2.preface.slice(0, 10)),
    reason: none,
    reaches: false,
  },
  {
    name: 'SETTINGS exchanged',
    way: 'free',
    reach: async ({ client }) => void (await speak(client)),
    reason: none,
    reaches: false,
  },
]

/** Where a client of HTTP/2 may stand. */
export function http2ClientStates(kind: Kind): readonly ClientState[] {
  /** Sends a whole request. */
  const ask =
    (path: string) =>
    async ({ client, id }: Cell): Promise<void> => {
      const { peer } = await speak(client)
      await peer.send(whole(kind, 1, path, id))
    }
  /** Sends part of a request with a body, or all of it. */
  const post =
    (path: string, framing: Framing, { length, sent }: { length: number; sent: number }) =>
    async ({ client, id }: Cell): Promise<void> => {
      const { peer } = await speak(client)
      const asked = framing === 'length' ? { path, id, length } : { path, id }
      await peer.send(head(kind, 1, asked), body(1, sent, sent === length))
    }
  const answeredFrame = async ({ client }: Cell, wanted: Partial<RawFrame>): Promise<void> => {
    const { peer } = await speak(client)
    await peer.next({ id: 1, ...wanted })
  }
  const framings: readonly Framing[] = ['length', 'chunked']
  const states: ClientState[] = [
    ...beforeStreams,
    {
      name: 'header block half sent',
      way: 'free',
      reach: async ({ client, id }) => {
        const { peer } = await speak(client)
        await peer.send(headersFrame(1, requestFields(`/ok?id=${id}`), h2.endStream))
      },
      reason: none,
      reaches: false,
    },
    {
      name: 'idle after a response',
      way: 'free',
      reach: async (cell) => {
        await ask('/ok')(cell)
        const { peer } = await speak(cell.client)
        expect((await peer.message(1)).content.toString()).to.equal('done')
      },
      reason: { fin: 'ok', rst: 'ok' },
      reaches: true,
    },
    {
      name: 'queued',
      way: 'shut',
      reach: async (cell) => {
        await ask('/ok')(cell)
        await waiting(cell)
      },
      reason: gone,
      reaches: false,
    },
    {
      name: 'connecting',
      way: 'hanging',
      reach: async (cell) => {
        await ask('/ok')(cell)
        await eventually(() => cell.stage.stats.upstreams[1]!.endpoints[0]!.connections.connecting === 1)
      },
      reason: gone,
      reaches: false,
    },
    {
      name: 'waiting for the head',
      way: 'free',
      reach: async (cell) => {
        await ask('/hang')(cell)
        await cell.served()
      },
      reason: gone,
      reaches: true,
    },
    {
      name: 'everything but the trailers of the request sent',
      way: 'free',
      reach: async (cell) => {
        await post('/ok', 'chunked', { length: 100_001, sent: 60_000 })(cell)
        if (kind === 'grpc') await cell.served()
        else await eventually(() => cell.stage.stats.exchanges === 1)
        const { peer } = await speak(cell.client)
        await peer.send(headersFrame(1, [['x-sum', '1']], h2.endStream))
      },
      reason: { fin: 'clientGone', rst: 'clientGone' },
      reaches: kind === 'grpc',
    },
    ...framings.flatMap((framing): ClientState[] => [
      {
        name: `request body half sent (${framing}), small`,
        way: 'free',
        reach: async (cell) => {
          await post('/ok', framing, { length: 1_000, sent: 500 })(cell)
          // A call goes up at once: the upstream may have to say something before its caller goes on.
          if (kind === 'grpc') await cell.served()
          else await eventually(() => cell.stage.stats.exchanges === 1)
        },
        reason: gone,
        reaches: kind === 'grpc',
      },
      ...[100, 60_000].map(
        (sent): ClientState => ({
          name: `queued, ${sent} bytes of the body sent (${framing})`,
          way: 'shut',
          reach: async (cell) => {
            await post('/ok', framing, { length: sent, sent })(cell)
            await waiting(cell)
          },
          reason: gone,
          reaches: false,
        }),
      ),
      {
        name: `response body half sent (${framing})`,
        way: 'free',
        reach: async (cell) => {
          await ask(`/half/${framing}`)(cell)
          await answeredFrame(cell, { type: h2.data })
        },
        reason: gone,
        reaches: true,
      },
      {
        name: `response body being sent, not read (${framing})`,
        way: 'free',
        reach: async (cell) => {
          await speak(cell.client)
          cell.client.pause()
          await ask(`/flood/${framing}`)(cell)
          await cell.served()
        },
        reason: gone,
        reaches: true,
      },
      {
        name: `response body being sent, no credit given (${framing})`,
        way: 'free',
        reach: async (cell) => {
          await ask(`/flood/${framing}`)(cell)
          for (let left = 65_535; left > 0; ) {
            const { peer } = await speak(cell.client)
            left -= (await peer.next({ id: 1, type: h2.data })).payload.length
          }
        },
        reason: gone,
        reaches: true,
      },
    ]),
    {
      name: 'request body half sent (length), going up',
      way: 'free',
      reach: async (cell) => {
        await post('/ok', 'length', { length: 200_000, sent: 60_000 })(cell)
        await cell.served()
      },
      reason: gone,
      reaches: true,
    },
    {
      name: 'request body half sent (chunked), going up',
      way: 'free',
      reach: async (cell) => {
        await post('/ok', 'chunked', { length: 200_000, sent: 60_000 })(cell)
        const { peer } = await speak(cell.client)
        // What fits the buffer is stored, and credited on receipt.
        await peer.next({ id: 1, type: h2.windowUpdate })
        await peer.send(body(1, 30_000))
        await cell.served()
      },
      reason: gone,
      reaches: true,
    },
  ]
  return states
}

/** The statuses of calls that CONTRACT's table gives for reasons. */
const statusOfReason: Readonly<Record<string, number>> = { upstreamInvalid: 13, responseTimeout: 4 }

/** A client of HTTP/2. */
export function http2Asker(kind: Kind): Asker {
  const next = async (client: RawClient): Promise<{ peer: RawHttp2; id: number }> => {
    const session = await speak(client)
    const id = session.nextId
    session.nextId += 2
    await session.peer.send(whole(kind, id, '/ok', 'x'))
    return { peer: session.peer, id }
  }
  const ours =
    (peer: RawHttp2, id: number) =>
    async (status: number, reason: string | readonly string[], grpc = 14) => {
      const { fields, content, trailers } = await peer.message(id)
      const value = (name: string) => fields.find((field) => field[0] === name)?.[1]
      const expected = kind === 'grpc' ? 200 : status
      expect([reason].flat(), `x-sluice-reason of ${JSON.stringify(fields)}`).to.include(value('x-sluice-reason'))
      expect(value(':status')).to.equal(String(expected))
      if (kind === 'http') {
        expect(value('content-length')).to.equal(String(content.length))
        if (status === 503) expect(value('retry-after')).to.match(/^\d+$/)
        return
      }
      expect(value('grpc-status')).to.equal(String(grpc))
      expect(value('grpc-message')).to.equal(`sluice: ${value('x-sluice-reason')}`)
      expect({ content: content.length, trailers }).to.deep.equal({ content: 0, trailers: [] })
    }
  return {
    answered: (status, reason, grpcStatus) => async (client) => {
      const { peer, id } = await next(client)
      await ours(peer, id)(status, reason, grpcStatus ?? statusOfReason[[reason].flat()[0]!] ?? 14)
    },
    answeredAfterHint: (status, reason) => async (client) => {
      const { peer, id } = await next(client)
      const hint = await peer.next({ id, type: h2.headers })
      expect(hint.fields![0]).to.deep.equal([':status', '103'])
      await ours(peer, id)(status, reason)
    },
    cut: () => async (client) => {
      const { peer, id } = await next(client)
      const first = await peer.next({ id, type: h2.headers })
      expect(first.fields![0]).to.deep.equal([':status', '200'])
      let last: RawFrame
      do last = await peer.next({ id })
      while (last.type === h2.data)
      if (kind === 'http') expect(last.type, 'a stream that was cut is reset').to.equal(h2.rstStream)
      else {
        const status = last.fields?.find(([name]) => name === 'grpc-status')?.[1]
        expect(status, 'a call that was cut ends with a status').to.match(/^([1-9]|1[0-6])$/)
      }
      expect(peer.frames.some((one) => one.id === id && one.type === h2.data && one.flags === h2.endStream)).to.equal(
        false,
      )
    },
    whole: (wanted) => async (client) => {
      const { peer, id } = await next(client)
      const { status, content } = await peer.message(id)
      expect([status, content.toString()]).to.deep.equal([200, wanted])
    },
  }
}
