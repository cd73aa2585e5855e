import { expect } from 'chai'
import { eventually, type RawClient } from '../../../packages/testkit/src/raw/index.ts'
import { type ClientState, type Driver, gates, type UpstreamEnd, type UpstreamScript } from './driver.ts'
import { answered as httpAnswered, eitherReset } from './http1.ts'

const handshake = (path: string, id: string) =>
  `GET ${path}?id=${id} HTTP/1.1\r\nHost: ends.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'

const agreed =
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n'

const clientGone = { fin: 'clientGone', rst: 'clientGone' } as const
const orderly = { fin: 'ok', rst: 'clientGone' } as const

/** A text frame of a client, masked with zeros; `sent` bytes of it. */
const frame = (text: string, sent = text.length + 6) =>
  `\x81${String.fromCharCode(0x80 | text.length)}\0\0\0\0${text}`.slice(0, sent)

const clientStates: ClientState[] = [
  {
    name: 'handshake half sent',
    way: 'free',
    reach: ({ client, id }) => client.write(handshake('/', id).slice(0, 60)),
    reason: { fin: undefined, rst: undefined },
    reaches: false,
  },
  {
    name: 'queued',
    way: 'shut',
    reach: async ({ client, stage, id }) => {
      await client.write(handshake('/', id))
      await stage.atGate(gates.upstream, { waiting: 1 })
    },
    reason: clientGone,
    reaches: false,
  },
  {
    name: 'queued, frames sent already',
    way: 'shut',
    reach: async ({ client, stage, id }) => {
      await client.write(handshake('/', id) + frame('eager'))
      await stage.atGate(gates.upstream, { waiting: 1 })
    },
    reason: clientGone,
    reaches: false,
  },
  {
    name: 'connecting',
    way: 'hanging',
    reach: async ({ client, stage, id }) => {
      await client.write(handshake('/', id))
      await eventually(() => stage.stats.upstreams[1]!.endpoints[0]!.connections.connecting === 1)
    },
    reason: clientGone,
    reaches: false,
  },
  {
    name: 'waiting for the 101',
    way: 'free',
    reach: async ({ client, served, id }) => {
      await client.write(handshake('/hang', id))
      await served()
    },
    reason: clientGone,
    reaches: true,
  },
  {
    name: 'after the 101',
    way: 'free',
    reach: async ({ client, id }) => {
      await client.write(handshake('/', id))
      await client.readHead()
    },
    reason: orderly,
    reaches: true,
  },
  {
    name: 'a frame half sent',
    way: 'free',
    reach: async ({ client, id }) => {
      await client.write(handshake('/', id))
      await client.readHead()
      await client.write(frame('hello', 8))
      await client.readUntil('he')
    },
    reason: orderly,
    reaches: true,
  },
  {
    name: 'frames passed both ways',
    way: 'free',
    reach: async ({ client, id }) => {
      await client.write(handshake('/', id) + frame('hello'))
      await client.readUntil('hello')
    },
    reason: orderly,
    reaches: true,
  },
]

const script: Driver['script'] = (seen) => async (connection) => {
  void connection.ended.then(() => connection.close())
  const head = await connection.readHead()
  const [, path, id = ''] = /^GET ([^?]*)\?id=(\S*)/.exec(head) ?? []
  seen(id, connection)
  if (path === '/hang') return
  await connection.write(agreed)
  for (;;) await connection.write(await connection.readSome())
}

const afterHead =
  (then: UpstreamScript): UpstreamScript =>
  async (connection, beyond) => {
    await connection.readHead()
    await then(connection, beyond)
  }

const answered = (status: number, reason: string | readonly string[]) =>
  httpAnswered(status, reason, handshake('/', 'x'))

const upgraded = async (client: RawClient): Promise<void> => {
  await client.write(handshake('/', 'x'))
  expect(await client.readHead()).to.match(/^HTTP\/1.1 101 /)
}

const upstreamEnds: UpstreamEnd[] = [
  { name: 'refuses', script: 'refuses', expects: answered(502, 'connectFailed'), reason: 'connectFailed' },
  { name: 'hangs at connect', script: 'hangs', expects: answered(504, 'connectTimeout'), reason: 'connectTimeout' },
  {
    name: 'RST at accept',
    script: (one) => one.rst(),
    expects: answered(502, eitherReset),
    reason: eitherReset,
  },
  {
    name: 'RST after the handshake',
    script: afterHead((one) => one.rst()),
    expects: answered(502, 'upstreamReset'),
    reason: 'upstreamReset',
  },
  {
    name: 'FIN after the handshake',
    script: afterHead((one) => one.fin()),
    expects: answered(502, 'upstreamReset'),
    reason: 'upstreamReset',
  },
  {
    name: 'garbage',
    script: afterHead((one) => one.write('garbage garbage\r\n\r\n')),
    expects: answered(502, 'upstreamInvalid'),
    reason: 'upstreamInvalid',
  },
  {
    name: 'a 101 to another protocol',
    script: afterHead((one) => one.write('HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n')),
    expects: answered(502, 'upstreamInvalid'),
    reason: 'upstreamInvalid',
  },
  {
    name: 'refuses the upgrade',
    script: afterHead((one) => one.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno')),
    expects: async (client) => {
      await client.write(handshake('/', 'x'))
      expect((await client.readUntil('no')).toString()).to.match(/^HTTP\/1.1 403 Forbidden/)
    },
    reason: 'ok',
  },
  {
    name: 'no answer to the handshake',
    script: afterHead(() => undefined),
    expects: answered(504, 'responseTimeout'),
    reason: 'responseTimeout',
  },
  {
    name: 'RST after the 101',
    script: afterHead(async (one, { clientHasBytes }) => {
      await one.write(agreed)
      await clientHasBytes()
      one.rst()
    }),
    expects: async (client) => {
      await upgraded(client)
      // A close frame with 1014.
      expect(await client.readToEnd()).to.deep.equal(Buffer.from([0x88, 0x02, 0x03, 0xf6]))
      expect(await client.ended).to.equal('fin')
    },
    reason: 'upstreamReset',
  },
  {
    name: 'FIN after the 101',
    script: afterHead(async (one) => {
      await one.write(`${agreed}\x81\x02hi`)
      await one.fin()
    }),
    expects: async (client) => {
      await upgraded(client)
      expect((await client.readToEnd()).toString('latin1')).to.equal('\x81\x02hi')
      await client.fin()
    },
    reason: 'ok',
  },
  {
    name: 'nothing passes after the 101',
    script: afterHead(async (one) => {
      await one.write(agreed)
      // Masked with a key of Sluice's choice, answered with a close frame without a code.
      expect((await one.readExactly(8)).subarray(0, 2)).to.deep.equal(Buffer.from([0x88, 0x82]))
      await one.write(Buffer.from([0x88, 0x00]))
    }),
    expects: async (client) => {
      await upgraded(client)
      expect(await client.readExactly(4)).to.deep.equal(Buffer.from([0x88, 0x02, 0x03, 0xe9]))
      await client.write(Buffer.from([0x88, 0x80, 1, 2, 3, 4]))
      expect(await client.ended).to.equal('fin')
    },
    reason: 'idleTimeout',
  },
]

/** A WebSocket, before and after the 101. */
export const websocket = (options: { secure: boolean }): Driver => ({
  name: options.secure ? 'websocket under TLS' : 'websocket',
  protocol: 'websocket',
  secure: options.secure,
  script,
  hold: (client, id) => client.write(handshake('/hang', id)),
  clientStates,
  upstreamEnds: options.secure ? [] : upstreamEnds,
})
