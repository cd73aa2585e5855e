// What Go's ReverseProxy is tested for and no other file here reaches; headers, bodies, trailers, aborts and early ends
// stand in packages/http/test.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { answering, ok, request, Through } from '../../packages/http/test/proxied.ts'
import { eventually } from '../../packages/testkit/src/raw/index.ts'
import { skipWithoutCorpus } from './corpora.ts'

const handshake = request(
  'GET /chat',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
)
const switching = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Id: 1\r\n\r\n'

describe('behaviour of a reverse proxy, after Go', () => {
  let through: Through
  afterEach(() => through.close())

  it('upgrades to WebSocket, with the bytes that came along on either side', async () => {
    through = await Through.start(async (connection) => {
      const head = await connection.readHead()
      expect(head).to.contain('Connection: Upgrade\r\nUpgrade: websocket\r\n')
      await connection.write(`${switching}\x81\x02hi`)
      expect((await connection.readExactly(8)).toString('latin1')).to.equal('\x81\x82\0\0\0\0yo')
      await connection.write('\x81\x02ho')
      await connection.fin()
    })
    const client = await through.client()
    await client.write(`${handshake}\x81\x82\0\0\0\0yo`)
    expect(await client.readHead())
      .to.contain('X-Id: 1\r\n')
      .and.to.contain('Connection: Upgrade\r\n')
    expect((await client.readToEnd()).toString('latin1')).to.equal('\x81\x02hi\x81\x02ho')
    await client.fin()
  })

  for (const by of ['fin', 'rst'] as const) {
    it(`ends the WebSocket of a client that leaves (${by}) at the upstream`, async () => {
      through = await Through.start(async (connection) => {
        await connection.readHead()
        await connection.write(switching)
      })
      const client = await through.client()
      await client.write(handshake)
      await client.readHead()
      if (by === 'fin') await client.fin()
      else client.rst()
      expect(await through.upstream.connections[0]!.ended).to.equal(by)
      await through.upstream.connections[0]!.close()
      await eventually(() => through.settled)
    })
  }

  it('passes the refusal of an upgrade on, and goes on', async () => {
    through = await Through.start(answering((head) => (head.includes('/chat') ? ok('no', 'X-No: 1') : ok('next'))))
    const client = await through.client()
    await client.write(handshake)
    await client.readUntil('\r\n\r\nno')
    await client.write(request('GET /'))
    await client.readUntil('\r\n\r\nnext')
  })

  it('passes queries on as they are, also those that parsers read differently', async function () {
    const file = join(
      process.env['SLUICE_CORPORA'] ?? join(import.meta.dirname, '../../../shared/corpora'),
      'go-reverseproxy/tables.json',
    )
    const own = [{ raw_query: 'a=1;b=2' }, { raw_query: 'a=%zz' }, { raw_query: '' }]
    through = await Through.start(answering((head) => ok(head.split(' ', 2)[1]!)))
    const present = existsSync(file)
    const tables = present
      ? (JSON.parse(readFileSync(file, 'utf8')) as { query_parameter_smuggling: { raw_query: string }[] })
      : { query_parameter_smuggling: [] }
    for (const { raw_query: query } of [...own, ...tables.query_parameter_smuggling]) {
      const client = await through.client()
      await client.write(request(`GET /x?${query}`))
      await client.readUntil(`\r\n\r\n/x?${query}`)
      await client.close()
    }
    if (!present) skipWithoutCorpus(this, 'go-reverseproxy')
  })
})
