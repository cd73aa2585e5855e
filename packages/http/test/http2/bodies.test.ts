import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, request as requestHttp1, type Server } from 'node:http'
import { connect, createServer as createHttp2Server, type Http2Server, type IncomingHttpHeaders } from 'node:http2'
import type { AddressInfo } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { expect } from 'chai'
import { type ConfigInput, createProxy, type Proxy } from '../../../sluice/src/index.ts'
import { eventually } from '../../../testkit/src/raw/index.ts'
import { nameOf, type Pair, pairs } from './four-pairs.ts'

const all = randomBytes(10_485_760)
const hashOf = (size: number) => createHash('sha256').update(all.subarray(0, size)).digest('hex')
const sizes = [0, 1, 16_384, 65_535, 65_536, 65_537, 1_048_576, 10_485_760]

async function hashed(stream: Readable): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of stream) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

/** Takes a body, and answers with one of its size: the hash of what came is in `x-hash`. */
async function echoSize(
  request: Readable & { headers: IncomingHttpHeaders },
  response: Writable & { setHeader(name: string, value: string): unknown },
): Promise<void> {
  const hash = await hashed(request)
  const [size, framing] = String(request.headers['x-wanted']).split(' ')
  response.setHeader('x-hash', hash)
  if (framing === 'length') response.setHeader('content-length', size!)
  response.end(all.subarray(0, Number(size)))
}

interface Came {
  readonly up: string
  readonly down: string
}

interface Wanted {
  readonly size: number
  readonly framing: 'length' | 'end'
}

async function ask1(port: number, { size, framing }: Wanted): Promise<Came> {
  const headers: Record<string, string> = { 'x-wanted': `${size} ${framing}` }
  if (framing === 'length') headers['content-length'] = String(size)
  else headers['transfer-encoding'] = 'chunked'
  const request = requestHttp1({ port, method: 'POST', path: '/', headers, agent: false })
  request.end(all.subarray(0, size))
  const [response] = (await once(request, 'response')) as [Readable & { headers: IncomingHttpHeaders }]
  return { up: String(response.headers['x-hash']), down: await hashed(response) }
}

async function ask2(port: number, { size, framing }: Wanted): Promise<Came> {
  const session = connect(`http://127.0.0.1:${port}`)
  try {
    const headers: Record<string, string> = { ':method': 'POST', 'x-wanted': `${size} ${framing}` }
    if (framing === 'length') headers['content-length'] = String(size)
    const stream = session.request(headers)
    const responded = once(stream, 'response') as Promise<[IncomingHttpHeaders]>
    stream.end(all.subarray(0, size))
    const [[head], down] = await Promise.all([responded, hashed(stream)])
    return { up: String(head['x-hash']), down }
  } finally {
    session.close()
    await once(session, 'close')
  }
}

describe('bodies through the four pairs of HTTP versions', () => {
  let one: Server
  let two: Http2Server
  let proxy: Proxy
  const faults: unknown[] = []

  before(async () => {
    one = createServer((request, response) => void echoSize(request, response))
    two = createHttp2Server((request, response) => void echoSize(request, response))
    for (const server of [one, two]) await once(server.listen(0, '127.0.0.1'), 'listening')
    const shared = { bind: '127.0.0.1:0', protocol: 'http' }
    proxy = await createProxy(
      {
        listeners: { to1: { ...shared, upstream: 'one' }, to2: { ...shared, upstream: 'two' } },
        upstreams: {
          one: { endpoints: [`127.0.0.1:${(one.address() as AddressInfo).port}`] },
          two: { endpoints: [`127.0.0.1:${(two.address() as AddressInfo).port}`], protocol: 'http2' },
        },
      } as unknown as ConfigInput,
      { onFault: (fault) => faults.push(fault) },
    )
    await proxy.listen()
  })

  after(async () => {
    await eventually(() => proxy.stats().exchanges === 0)
    await proxy.close()
    one.close()
    two.close()
    expect(faults).to.deep.equal([])
  })

  const ask = ({ client, upstream }: Pair, wanted: Wanted): Promise<Came> => {
    const { port } = proxy.addresses[`to${upstream}`] as { port: number }
    return client === 1 ? ask1(port, wanted) : ask2(port, wanted)
  }

  for (const pair of pairs) {
    for (const framing of ['length', 'end'] as const) {
      it(`arrive whole both ways, ${nameOf(pair)}, ended by ${framing === 'length' ? 'their length' : 'their end'}`, async () => {
        for (const size of sizes) {
          const expected = hashOf(size)
          expect(await ask(pair, { size, framing }), String(size)).to.deep.equal({ up: expected, down: expected })
        }
      })
    }

    it(`arrive whole, many at once, ${nameOf(pair)}`, async () => {
      const wanted = Array.from({ length: 30 }, (_, i) => ({ size: 20_000 * i, framing: 'length' }) as const)
      const came = await Promise.all(wanted.map((one) => ask(pair, one)))
      for (const [i, { up, down }] of came.entries()) {
        expect([up, down], String(i)).to.deep.equal([hashOf(20_000 * i), hashOf(20_000 * i)])
      }
    })
  }

  it('arrive whole with trailers that node:http2 sends, both ways', async () => {
    const session = connect(`http://127.0.0.1:${(proxy.addresses['to2'] as { port: number }).port}`)
    const stream = session.request({ ':method': 'POST', 'x-wanted': '100000 end' }, { waitForTrailers: true } as never)
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '1' }))
    await pipeline([all.subarray(0, 300_000)], stream)
    expect(await hashed(stream)).to.equal(hashOf(100_000))
    session.close()
    await once(session, 'close')
  })
})
