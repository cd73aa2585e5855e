// Responses of hostile upstreams: 502 or a cut, the connection destroyed, and nothing of them in anybody's answer.
import { expect } from 'chai'
import { ok, request, Through } from '../../packages/http/test/proxied.ts'
import {
  ConnectionEnded,
  eventually,
  parseResponses,
  type RawClient,
  type RawConnection,
} from '../../packages/testkit/src/raw/index.ts'
import { CategoryCount, corpusRows, skipWithoutCorpus } from './corpora.ts'

interface Row {
  readonly what: string
  /** What the upstream sends; it closes afterwards where `ends` says so. */
  readonly bytes: string
  readonly ends?: 'fin' | 'rst'
  readonly method?: string
  /**
   * What the client gets. `refused`: a 502. `cut`: the response has begun, and its end is missing for the client to
   * see. Anything else: the body of a whole response.
   */
  readonly outcome: string
  readonly status?: number
}

const head = (...lines: string[]): string => `${lines.join('\r\n')}\r\n\r\n`
const okLine = 'HTTP/1.1 200 OK'
const chunkedOk = head(okLine, 'Transfer-Encoding: chunked')

const table: Readonly<Record<string, readonly Row[]>> = {
  framing: [
    {
      what: 'length beside chunked',
      bytes: `${head(okLine, 'Content-Length: 2', 'Transfer-Encoding: chunked')}2\r\nhi\r\n0\r\n\r\n`,
      outcome: 'refused',
    },
    {
      what: 'chunked beside length',
      bytes: `${head(okLine, 'Transfer-Encoding: chunked', 'Content-Length: 2')}2\r\nhi\r\n0\r\n\r\n`,
      outcome: 'refused',
    },
    {
      what: 'lengths that differ',
      bytes: `${head(okLine, 'Content-Length: 2', 'Content-Length: 3')}hi!`,
      outcome: 'refused',
    },
    { what: 'a list of lengths', bytes: `${head(okLine, 'Content-Length: 2, 3')}hi!`, outcome: 'refused' },
    { what: 'a negative length', bytes: head(okLine, 'Content-Length: -1'), outcome: 'refused' },
    { what: 'a length that is no number', bytes: head(okLine, 'Content-Length: 0x10'), outcome: 'refused' },
    { what: 'a coding besides chunked', bytes: head(okLine, 'Transfer-Encoding: gzip, chunked'), outcome: 'refused' },
    {
      what: 'chunked in HTTP/1.0',
      bytes: `${head('HTTP/1.0 200 OK', 'Transfer-Encoding: chunked')}0\r\n\r\n`,
      outcome: 'refused',
    },
    { what: 'a body that ends early', bytes: `${head(okLine, 'Content-Length: 10')}hi`, ends: 'fin', outcome: 'cut' },
    { what: 'a reset amid the body', bytes: `${head(okLine, 'Content-Length: 10')}hi`, ends: 'rst', outcome: 'cut' },
    { what: 'a close-delimited body that is reset', bytes: `${head(okLine)}hi`, ends: 'rst', outcome: 'cut' },
    { what: 'a close-delimited body', bytes: `${head(okLine)}hi`, ends: 'fin', outcome: 'hi' },
    { what: 'a body of HTTP/1.0', bytes: `${head('HTTP/1.0 200 OK')}hi`, ends: 'fin', outcome: 'hi' },
  ],
  surplus: [
    {
      what: 'bytes after the body',
      bytes: `${head(okLine, 'Content-Length: 2')}hiHTTP/1.1 200 Stolen\r\n\r\n`,
      outcome: 'hi',
    },
    { what: 'a second response', bytes: ok('hi') + ok('no'), outcome: 'hi' },
    {
      what: 'bytes after the last chunk',
      bytes: `${chunkedOk}2\r\nhi\r\n0\r\n\r\nHTTP/1.1 200 Stolen\r\n\r\n`,
      outcome: 'hi',
    },
    { what: 'a body for HEAD', bytes: ok('surplus'), method: 'HEAD', outcome: '' },
    {
      what: 'a body with 204',
      bytes: `${head('HTTP/1.1 204 No Content', 'Content-Length: 2')}hi`,
      status: 204,
      outcome: '',
    },
    {
      what: 'chunks with 204',
      bytes: `${head('HTTP/1.1 204 No Content', 'Transfer-Encoding: chunked')}2\r\nhi\r\n0\r\n\r\n`,
      status: 204,
      outcome: '',
    },
    {
      what: 'a body with 304',
      bytes: `${head('HTTP/1.1 304 Not Modified', 'Content-Length: 2')}hi`,
      status: 304,
      outcome: '',
    },
  ],
  chunks: [
    { what: 'a size that is none', bytes: `${chunkedOk}zz\r\nhi\r\n0\r\n\r\n`, outcome: 'cut' },
    { what: 'data longer than its size', bytes: `${chunkedOk}2\r\nhi!\r\n0\r\n\r\n`, outcome: 'cut' },
    { what: 'a size beyond 2^53', bytes: `${chunkedOk}fffffffffffffff1\r\nhi`, outcome: 'cut' },
    { what: 'a bare LF', bytes: `${chunkedOk}2\nhi\r\n0\r\n\r\n`, outcome: 'cut' },
    { what: 'an end within a chunk', bytes: `${chunkedOk}5\r\nhi`, ends: 'fin', outcome: 'cut' },
    { what: 'an end before the last chunk', bytes: `${chunkedOk}2\r\nhi\r\n`, ends: 'fin', outcome: 'cut' },
    { what: 'trailers without a colon', bytes: `${chunkedOk}2\r\nhi\r\n0\r\nnocolon\r\n\r\n`, outcome: 'cut' },
    {
      what: 'an extension without end',
      bytes: `${chunkedOk}2;${'a'.repeat(5_000)}\r\nhi\r\n0\r\n\r\n`,
      outcome: 'cut',
    },
  ],
  'status line': [
    { what: 'HTTP/0.9', bytes: '<html>hi</html>', ends: 'fin', outcome: 'refused' },
    { what: 'HTTP/2', bytes: head('HTTP/2.0 200 OK'), outcome: 'refused' },
    { what: 'frames of HTTP/2', bytes: '\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x64', outcome: 'refused' },
    { what: 'a TLS alert', bytes: '\x15\x03\x01\0\x02\x02\x28', outcome: 'refused' },
    { what: 'the greeting of SSH', bytes: 'SSH-2.0-OpenSSH_9.6\r\n', outcome: 'refused' },
    { what: 'a status of two digits', bytes: head('HTTP/1.1 20 OK'), outcome: 'refused' },
    { what: 'a status of four digits', bytes: head('HTTP/1.1 2000 OK'), outcome: 'refused' },
    { what: 'a status below 100', bytes: head('HTTP/1.1 099 No'), outcome: 'refused' },
    { what: 'a status above 599', bytes: head('HTTP/1.1 600 No'), outcome: 'refused' },
    { what: 'two spaces', bytes: head('HTTP/1.1  200 OK'), outcome: 'refused' },
    { what: 'a bare LF', bytes: 'HTTP/1.1 200 OK\nContent-Length: 0\n\n', outcome: 'refused' },
    { what: 'a NUL in the reason', bytes: head('HTTP/1.1 200 O\0K', 'Content-Length: 0'), outcome: 'refused' },
    { what: 'no reason', bytes: `${head('HTTP/1.1 200 ', 'Content-Length: 2')}hi`, outcome: 'hi' },
    { what: 'no reason and no space', bytes: `${head('HTTP/1.1 200', 'Content-Length: 2')}hi`, outcome: 'hi' },
    { what: 'an empty line before it', bytes: `\r\n${ok('hi')}`, outcome: 'refused' },
  ],
  fields: [
    { what: 'a folded value', bytes: `${head(okLine, 'X-A: b', ' c', 'Content-Length: 2')}hi`, outcome: 'refused' },
    { what: 'a NUL in a value', bytes: `${head(okLine, 'X-A: \0', 'Content-Length: 2')}hi`, outcome: 'refused' },
    { what: 'a bare CR in a value', bytes: `${head(okLine, 'X-A: a\rb', 'Content-Length: 2')}hi`, outcome: 'refused' },
    { what: 'a space before the colon', bytes: `${head(okLine, 'Content-Length : 2')}hi`, outcome: 'refused' },
    { what: 'no colon', bytes: head(okLine, 'nocolon'), outcome: 'refused' },
    {
      what: 'a head over 64 KiB',
      bytes: head(okLine, ...Array.from({ length: 80 }, () => `X-A: ${'a'.repeat(1_000)}`)),
      outcome: 'refused',
    },
    { what: 'a line over 64 KiB without end', bytes: `${okLine}\r\nX-A: ${'a'.repeat(70_000)}`, outcome: 'refused' },
    {
      what: 'more fields than 200',
      bytes: head(okLine, ...Array.from({ length: 201 }, (_, i) => `X-${i}: a`)),
      outcome: 'refused',
    },
  ],
  interim: [
    {
      what: 'a 101 that nobody asked for',
      bytes: `${head('HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: websocket')}frames`,
      outcome: 'refused',
    },
    { what: 'a 100 without end', bytes: head('HTTP/1.1 100 Continue').repeat(2_000), outcome: 'refused' },
    {
      what: 'a 103, then nothing',
      bytes: head('HTTP/1.1 103 Early Hints', 'Link: <a>'),
      ends: 'fin',
      outcome: 'refused',
    },
    {
      what: 'a 103 with a body',
      bytes: `${head('HTTP/1.1 103 Early Hints', 'Content-Length: 2')}hi${ok('no')}`,
      outcome: 'refused',
    },
    { what: 'a 103, then the answer', bytes: head('HTTP/1.1 103 Early Hints', 'Link: <a>') + ok('hi'), outcome: 'hi' },
    { what: 'half a head', bytes: `${okLine}\r\nContent-`, ends: 'fin', outcome: 'refused' },
    { what: 'nothing', bytes: '', ends: 'fin', outcome: 'refused' },
    { what: 'a reset', bytes: '', ends: 'rst', outcome: 'refused' },
  ],
}

const surplus = table['surplus']!

describe('HTTP/1.1 responses of hostile upstreams', () => {
  let through: Through
  /** What the next request is answered with; `undefined`: properly. */
  let hostile: Row | undefined

  async function serve(connection: RawConnection): Promise<void> {
    for (;;) {
      const text = await connection.readHead()
      const row = hostile
      hostile = undefined
      if (row === undefined) {
        await connection.write(ok(`own answer to ${text.split(' ', 2)[1]}`))
        continue
      }
      if (row.bytes !== '') await connection.write(row.bytes)
      if (row.ends === 'fin') await connection.fin()
      // A reset throws away what the kernel has not sent yet.
      if (row.ends === 'rst') setImmediate(() => connection.rst())
    }
  }

  before(async () => {
    through = await Through.start(serve, { upstream: { retries: { max: 0 } }, timeoutMs: 3_000 })
  })
  after(() => through.close())

  /** Everything up to a final answer that is whole, or to the end of the connection. */
  async function answer(client: RawClient, method: string): Promise<{ bytes: Buffer; ended: boolean }> {
    let ended = false
    void client.ended.then(() => (ended = true))
    await eventually(
      () =>
        ended ||
        parseResponses(client.buffered, { methods: [method], ended: false }).some(
          (one) => one.status >= 200 && one.complete,
        ),
      {
        timeoutMs: 3_000,
        what: `an answer; there is ${JSON.stringify(client.buffered.toString('latin1').slice(0, 200))}`,
      },
    )
    return { bytes: Buffer.from(client.buffered), ended }
  }

  async function take(row: Row): Promise<void> {
    const client = await through.client()
    const method = row.method ?? 'GET'
    hostile = row
    await client.write(request(`${method} /first`))
    const { bytes, ended } = await answer(client, method)
    const upstreamConnection = through.upstream.connections.at(-1)!
    const final = parseResponses(bytes, { methods: [method], ended: false }).find((one) => one.status >= 200)
    if (row.outcome === 'refused') {
      expect(final?.status).to.equal(502)
      expect(final?.header('x-sluice-reason')).to.be.oneOf(['upstreamInvalid', 'upstreamReset'])
    } else if (row.outcome === 'cut') {
      // A head alone may not have left yet: then it is a 502.
      if (final?.status !== 502) expect(final?.complete ?? false).to.equal(false)
      expect(final?.status === 502 || ended).to.equal(true)
    } else {
      expect(final?.status).to.equal(row.status ?? 200)
      expect(final?.body.toString()).to.equal(row.outcome)
    }
    expect(bytes.toString('latin1')).not.to.contain('Stolen')
    // The connection that brought it is gone, whoever ends it.
    if (row.outcome === 'refused' || row.outcome === 'cut' || surplus.includes(row)) await upstreamConnection.ended
    // The next request gets its own answer, on the same connection if it stands.
    const next = ended ? await through.client() : client
    if (!ended) await next.readExactly(bytes.length)
    await next.write(request('GET /second'))
    const second = await answer(next, 'GET')
    expect(parseResponses(second.bytes, { ended: false }).map((one) => one.body.toString())).to.deep.equal([
      'own answer to /second',
    ])
    await client.close()
    await next.close()
  }

  const count = new CategoryCount()
  for (const [category, rows] of Object.entries(table)) {
    for (const row of rows) {
      count.add(category)
      it(`stands ${category}: ${row.what}`, () => take(row))
    }
  }
  after(() => count.print('own responses'))

  it('never lets a response fixture of llhttp reach the client as something else', async function () {
    this.timeout(30_000)
    const rows = corpusRows<{ id: string; type: string; bytes_b64: string; meta?: { skipBody?: boolean } }>('llhttp')
    if (rows === undefined) return skipWithoutCorpus(this, 'llhttp')
    const seen = new CategoryCount()
    for (const row of rows) {
      if (row.type !== 'response') continue
      const client = await through.client()
      const method = row.meta?.skipBody === true ? 'HEAD' : 'GET'
      hostile = {
        what: row.id,
        bytes: Buffer.from(row.bytes_b64, 'base64').toString('latin1'),
        ends: 'fin',
        outcome: '',
      }
      await client.write(request(`${method} /first`))
      let answered: { bytes: Buffer; ended: boolean }
      try {
        answered = await answer(client, method)
      } catch (error) {
        throw new Error(row.id, { cause: error })
      }
      const responses = parseResponses(answered.bytes, { methods: [method], ended: false })
      const finals = responses.filter(({ status }) => status >= 200)
      expect(finals.length, row.id).to.be.at.most(1)
      seen.add(
        finals[0] === undefined ? 'cut' : finals[0].status === 502 ? '502' : finals[0].complete ? 'passed' : 'cut',
      )
      const next = answered.ended ? await through.client() : client
      if (!answered.ended) await next.readExactly(answered.bytes.length)
      try {
        await next.write(request('GET /second'))
        const second = await answer(next, 'GET')
        expect(parseResponses(second.bytes, { ended: false })[0]?.body.toString(), row.id).to.equal(
          'own answer to /second',
        )
      } catch (error) {
        // A last answer may have said that it is one.
        if (!(error instanceof ConnectionEnded)) throw error
      }
      await client.close()
      await next.close()
    }
    seen.print('llhttp responses')
  })
})
