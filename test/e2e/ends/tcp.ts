import { expect } from 'chai'
import { eventually, type RawClient } from '../../../packages/testkit/src/raw/index.ts'
import { eitherReset } from './http1.ts'
import { type ClientState, type Driver, gates, type UpstreamEnd, type UpstreamScript } from './driver.ts'

const clientGone = { fin: 'clientGone', rst: 'clientGone' } as const
/** A FIN in a tunnel is half of an orderly end. */
const orderly = { fin: 'ok', rst: 'clientGone' } as const

const flood = 8_000_000

const clientStates: ClientState[] = [
  ...[0, 100, 60_000].map(
    (sent): ClientState => ({
      name: `queued, ${sent} bytes sent`,
      way: 'shut',
      reach: async ({ client, stage, id }) => {
        if (sent > 0) await client.write(`${id}\n`.padEnd(sent, 'x'))
        await stage.atGate(gates.upstream, { waiting: 1 })
      },
      reason: clientGone,
      reaches: false,
    }),
  ),
  {
    name: 'connecting',
    way: 'hanging',
    reach: async ({ client, stage, id }) => {
      await client.write(`${id}\n`)
      await eventually(() => stage.stats.upstreams[1]!.endpoints[0]!.connections.connecting === 1)
    },
    // Let through already: with its FIN the client has only said all it has to say.
    reason: { ...clientGone, fin: 'connectTimeout' },
    reaches: false,
  },
  {
    name: 'tunnel, nothing sent',
    way: 'free',
    reach: async ({ stage }) => {
      await eventually(() => stage.stats.upstreams[0]!.endpoints[0]!.connections.busy === 1)
    },
    reason: orderly,
    reaches: false,
  },
  {
    name: 'tunnel, bytes passed both ways',
    way: 'free',
    reach: async ({ client, id }) => {
      await client.write(`${id}\n`)
      await client.readUntil(`${id}\n`)
    },
    reason: orderly,
    reaches: true,
  },
  {
    name: 'tunnel, the upstream does not read',
    way: 'free',
    reach: async ({ client, served, id }) => {
      await client.write(`stall-${id}\n`)
      await served()
      void client.write('x'.repeat(flood))
    },
    reason: orderly,
    reaches: true,
    after: async ({ served }) => (await served()).resume(),
  },
  {
    name: 'tunnel, the client does not read',
    way: 'free',
    reach: async ({ client, served, id }) => {
      client.pause()
      await client.write(`flood-${id}\n`)
      await served()
    },
    reason: orderly,
    reaches: true,
    after: ({ client }) => client.resume(),
  },
]

const script: Driver['script'] = (seen) => async (connection) => {
  void connection.ended.then(async (by) => {
    if (by === 'fin') await connection.fin()
    else await connection.close()
  })
  const line = (await connection.readUntil('\n')).toString('latin1').trim()
  const [, order, id = ''] = /^(stall-|flood-)?(\w+)/.exec(line) ?? []
  if (order === 'stall-') connection.pause()
  seen(id, connection)
  if (order === 'flood-') await connection.write('x'.repeat(flood))
  else if (order !== 'stall-') await connection.write(`${line}\n`)
}

const resetSeen = async (client: RawClient): Promise<void> => {
  await client.write('hello\n')
  expect(await client.ended).to.equal('rst')
}

const afterLine =
  (then: UpstreamScript): UpstreamScript =>
  async (connection, beyond) => {
    await connection.readUntil('\n')
    await then(connection, beyond)
  }

const upstreamEnds: UpstreamEnd[] = [
  { name: 'refuses', script: 'refuses', expects: resetSeen, reason: 'connectFailed' },
  { name: 'hangs at connect', script: 'hangs', expects: resetSeen, reason: 'connectTimeout' },
  { name: 'RST at accept', script: (one) => one.rst(), expects: resetSeen, reason: eitherReset },
  { name: 'RST after bytes', script: afterLine((one) => one.rst()), expects: resetSeen, reason: 'upstreamReset' },
  {
    name: 'RST behind bytes',
    script: afterLine(async (one, { clientHasBytes }) => {
      await one.write('some')
      await clientHasBytes()
      one.rst()
    }),
    expects: async (client) => {
      await client.write('hello\n')
      expect((await client.readUntil('some')).toString()).to.equal('some')
      expect(await client.ended).to.equal('rst')
    },
    reason: 'upstreamReset',
  },
  {
    name: 'FIN at accept',
    script: (one) => one.fin(),
    expects: async (client) => {
      expect((await client.readToEnd()).length).to.equal(0)
      await client.fin()
    },
    reason: 'ok',
  },
  {
    name: 'FIN behind bytes, reading on',
    script: afterLine(async (one) => {
      await one.write('last words')
      await one.fin()
      await one.readUntil('still heard')
    }),
    expects: async (client) => {
      await client.write('hello\n')
      expect((await client.readToEnd()).toString()).to.equal('last words')
      await client.write('still heard')
      await client.fin()
    },
    reason: 'ok',
  },
  {
    name: 'nothing passes either way',
    script: afterLine(() => undefined),
    expects: async (client) => {
      await client.write('hello\n')
      expect(await client.ended).to.equal('fin')
    },
    reason: 'idleTimeout',
  },
]

/** TCP. */
export const tcp = (options: { secure: boolean }): Driver => ({
  name: options.secure ? 'tcp under TLS' : 'tcp',
  protocol: 'tcp',
  secure: options.secure,
  script,
  hold: (client, id) => client.write(`${id}\n`),
  clientStates,
  upstreamEnds: options.secure ? [] : upstreamEnds,
})
