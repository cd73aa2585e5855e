// The project's own requests, reaching the same categories as the corpora of CONFORMANCE.md; they always run.
import { expect } from 'chai'
import { Through } from '../../packages/http/test/proxied.ts'
import { eventually, parseResponses, type RawConnection } from '../../packages/testkit/src/raw/index.ts'
import { CategoryCount } from './corpora.ts'
import { type RequestCase, requestCases } from './http1-requests.ts'

/** What one case made the upstream see. */
class Seen {
  readonly bodies: string[] = []
  raw = ''
}

let seen = new Seen()

/** Reads requests by a reader of its own: nothing of the codec under test may hide its mistake here. */
async function serve(connection: RawConnection): Promise<void> {
  for (;;) {
    const head = await connection.readHead()
    seen.raw += head
    seen.bodies.push(await readBody(connection, head))
    await connection.write(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n${head.startsWith('HEAD ') ? '' : 'ok'}`)
  }
}

async function readBody(connection: RawConnection, head: string): Promise<string> {
  const take = async (bytes: Promise<Buffer>): Promise<string> => {
    const text = (await bytes).toString('latin1')
    seen.raw += text
    return text
  }
  const length = /^content-length:[ \t]*(\d+)[ \t]*\r$/im.exec(head)
  if (!/^transfer-encoding:[ \t]*chunked[ \t]*\r$/im.test(head)) {
    return length === null ? '' : take(connection.readExactly(Number(length[1])))
  }
  if (length !== null) throw new Error(`two framings went up: ${head}`)
  let body = ''
  for (;;) {
    const line = await take(connection.readUntil('\r\n'))
    if (!/^[0-9a-f]{1,8}\r\n$/i.test(line)) throw new Error(`no chunk size went up: ${JSON.stringify(line)}`)
    const size = Number.parseInt(line, 16)
    if (size === 0) break
    body += (await take(connection.readExactly(size + 2))).slice(0, -2)
  }
  while ((await take(connection.readUntil('\r\n'))) !== '\r\n');
  return body
}

/** What is well-formed but not served may be followed by another request. */
const mayPersist = [405, 417]

describe('HTTP/1.1 requests of our own through a running proxy', () => {
  let through: Through

  before(async () => {
    through = await Through.start(serve, { timeoutMs: 3_000 })
  })
  after(() => through.close())

  async function take(one: RequestCase): Promise<void> {
    seen = new Seen()
    const client = await through.client()
    await client.write(one.bytes)
    if (typeof one.expect === 'number') {
      const toEnd = !mayPersist.includes(one.expect)
      const responses = parseResponses(toEnd ? await client.readToEnd() : await client.readSome())
      expect(responses.map(({ status }) => status)).to.deep.equal([one.expect])
      expect(responses[0]!.header('x-sluice-reason')).to.be.a('string')
      expect(seen.bodies, 'whole requests at the upstream').to.deep.equal([])
    } else {
      const { length } = one.expect
      await eventually(() => parseResponses(client.buffered, { ended: false }).length >= length)
      expect(parseResponses(client.buffered).map(({ status }) => status)).to.deep.equal(one.expect.map(() => 200))
      expect(seen.bodies).to.deep.equal(one.expect)
    }
    if (one.neverUp !== undefined) expect(seen.raw).not.to.match(one.neverUp)
    await client.close()
    await eventually(() => through.settled)
  }

  const count = new CategoryCount()
  for (const one of requestCases) {
    count.add(one.category)
    const what = typeof one.expect === 'number' ? `refuses (${one.expect})` : 'takes'
    it(`${what} ${one.category}: ${one.what}`, () => take(one))
  }
  after(() => count.print('own requests'))
})
