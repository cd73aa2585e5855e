// The HTTP/1.1 codec against corpora that nobody here wrote, without sockets (CONFORMANCE.md).
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { ChunkedDecoder, chunkEvent } from '../../packages/wire/src/http1/chunked.ts'
import { http1ErrorName } from '../../packages/wire/src/http1/codes.ts'
import { methodId } from '../../packages/wire/src/http1/methods.ts'
import { parseRequestHead, RequestHead } from '../../packages/wire/src/http1/request-head.ts'
import { framing, framingKind, parseResponseHead, ResponseHead } from '../../packages/wire/src/http1/response-head.ts'

const corpora = process.env.SLUICE_CORPORA ?? join(import.meta.dirname, '../../../shared/corpora')
const limits = { maxHeadBytes: 16_384, maxFields: 100, maxTargetBytes: 8_192 }

/** What became of a row of octets: the bodies of whole messages, and why no more of them came. */
interface Verdict {
  bodies: Buffer[]
  /** `end` (all consumed, or the connection does not persist), `more`, or the name of an error. */
  end: string
}

/** Every message in `octets`, as a connection would take them. */
function parseAll(octets: Buffer, kind: 'request' | 'response', requestMethod: number = methodId.get): Verdict {
  const request = new RequestHead()
  const response = new ResponseHead()
  const decoder = new ChunkedDecoder()
  const bodies: Buffer[] = []
  const finish = (result: number): Verdict => ({ bodies, end: result === 0 ? 'more' : http1ErrorName(result) })
  let at = 0
  while (at < octets.length) {
    const head = kind === 'request' ? request : response
    const result =
      kind === 'request'
        ? parseRequestHead(request, octets, at, octets.length, limits)
        : parseResponseHead(response, octets, at, octets.length, limits)
    if (result <= 0) return finish(result)
    at += result
    const body =
      kind === 'response'
        ? framing(response, requestMethod)
        : head.chunked
          ? framingKind.chunked
          : Math.min(1, head.contentLength + 1)
    if (body === framingKind.chunked) {
      decoder.reset()
      const parts: Buffer[] = []
      let event = decoder.next(octets, at, octets.length)
      while (event === chunkEvent.data) {
        parts.push(octets.subarray(decoder.dataStart, decoder.dataEnd))
        event = decoder.next(octets, decoder.position, octets.length)
      }
      if (event !== chunkEvent.done) return finish(event)
      at = decoder.position
      bodies.push(Buffer.concat(parts))
    } else {
      const length = body === framingKind.untilClose ? octets.length - at : Math.max(0, head.contentLength)
      const size = body === framingKind.none ? 0 : length
      if (size > octets.length - at) return finish(0)
      bodies.push(octets.subarray(at, at + size))
      at += size
    }
    const tunnel = request.methodId === methodId.connect || response.status === 101 || request.upgrade
    if (!head.keepAlive || tunnel || body === framingKind.untilClose) break
  }
  return { bodies, end: 'end' }
}

/** As `parseAll`; heads that only lack Host get one, so that what else is in them is looked at. */
function parseWithHost(octets: Buffer, kind: 'request' | 'response', requestMethod?: number): Verdict {
  const verdict = parseAll(octets, kind, requestMethod)
  if (verdict.end !== 'missingHost') return verdict
  const text = octets.toString('latin1').replace(/^(\S+ \S+ HTTP\/1\.\d\r\n)/gm, '$1Host: a.test\r\n')
  return parseAll(Buffer.from(text, 'latin1'), kind, requestMethod)
}

function rows<Row>(name: string): Row[] | null {
  const file = join(corpora, name, 'cases.jsonl')
  if (!existsSync(file)) return null
  return readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Row)
}

const octetsOf = (row: { bytes_b64: string }): Buffer => Buffer.from(row.bytes_b64, 'base64')

class Count {
  readonly #counts = new Map<string, number>()

  add(category: string): void {
    this.#counts.set(category, (this.#counts.get(category) ?? 0) + 1)
  }

  print(title: string): void {
    const list = [...this.#counts].map(([category, count]) => `${category} ${count}`)
    console.log(`      ${title}: ${list.join(', ')}`)
  }
}

/** Rows of a corpus, or a skip that says why. */
function corpus<Row>(name: string, check: (cases: Row[]) => void): void {
  it(`agrees with ${name}`, function () {
    const cases = rows<Row>(name)
    if (cases === null) {
      console.log(`      skipped: ${join(corpora, name)} is absent (set SLUICE_CORPORA)`)
      this.skip()
    } else check(cases)
  })
}

interface SmugglingCase {
  id: string
  bytes_b64: string
  expect: 'accept' | 'reject' | 'either'
  category: string
  forwarded_bodies_b64?: string[]
  timeout_ok?: boolean
}

interface LlhttpCase {
  id: string
  type: string
  bytes_b64: string
  meta?: { skipBody?: boolean }
  error_code: number | null
  messages_complete: number
}

interface HttparseCase {
  id: string
  parser: 'request' | 'response' | 'chunk-size'
  bytes_b64: string
  result: 'ok' | 'error' | 'partial'
}

/**
 * Why a head that a lenient parser takes is refused here: whether the reason applies, the errors it may have, and the
 * rule. A reason is looked for only where the codec and the corpus differ.
 */
type Difference = [reason: string, errors: string[], applies: (text: string) => boolean]

const startLine = (text: string): string => text.replace(/^\r\n/, '').split(/\r?\n/, 1)[0]!
const target = (text: string): string => startLine(text).split(' ')[1] ?? ''

const differences: Difference[] = [
  ['a bare LF as line end (§2.2)', ['bareLf', 'badStatusLine'], (text) => /(^|[^\r])\n/.test(text)],
  [
    'another protocol: ICE, RTSP',
    ['badRequestLine', 'badStatusLine'],
    (text) => /\b(ICE|RTSP)\/\d/.test(startLine(text)),
  ],
  [
    'HTTP/0.9 and its request line without a version (§2.3)',
    ['badRequestLine', 'badVersion'],
    (text) => {
      return /^\S+ \S+$/.test(startLine(text)) || startLine(text).startsWith('HTTP/0.9')
    },
  ],
  ['a fragment in the target (§3.2)', ['badTarget'], (text) => target(text).includes('#')],
  ['octets beyond ASCII in the target (§3.2)', ['badTarget'], (text) => /[^\x21-\x7e]/.test(target(text))],
  ['userinfo in the authority (RFC 9110 §4.2.4)', ['badHost'], (text) => /^https?:\/\/[^/]*@/.test(target(text))],
  ['a target in none of the four forms (§3.2)', ['badTarget'], (text) => !/^(\/|https?:\/\/)/.test(target(text))],
  ['another scheme than http and https', ['badTarget'], (text) => /^(?!https?:)[a-z]+:/i.test(target(text))],
  [
    'a transfer coding other than chunked (§6.1)',
    ['unknownTransferCoding', 'badTransferEncoding'],
    (text) => {
      return /^transfer-encoding:(?![ \t]*chunked[ \t]*\r$)/im.test(text)
    },
  ],
  [
    'more than one space in the start line (§3)',
    ['badRequestLine', 'badStatusLine'],
    (text) => / {2}/.test(startLine(text)),
  ],
  ['an empty line before a status line (§4)', ['badStatusLine'], (text) => /(^|\r\n\r\n|AAA)\r\nHTTP\//.test(text)],
  [
    'more than the one empty line before a request line that §2.2 asks for',
    ['badRequestLine'],
    (text) => /(^|\r\n\r\n|q=42)(\r\n){2}/.test(text),
  ],
  ['a chunk extension outside the grammar (§7.1.1)', ['badChunkExtension'], (text) => /^[0-9a-f]+ *;/i.test(text)],
  ['a chunk size beyond 2^53-1', ['badChunkSize'], (text) => /^f{16}\r\n/.test(text)],
]

/** Methods that llhttp does not know, or knows in RTSP only. */
const foreignMethods = /^(MKCOLA|ANNOUNCE) \//

function differenceOf(text: string, end: string): string | undefined {
  return differences.find(([, errors, applies]) => errors.includes(end) && applies(text))?.[0]
}

/** How a row of httparse has to end by its result; an error may be any. */
const wantedEnds: Record<HttparseCase['result'], string | undefined> = { ok: 'end', partial: 'more', error: undefined }

function sizeLineEnd(octets: Buffer): string {
  const event = new ChunkedDecoder().next(octets, 0, octets.length)
  return event < 0 ? http1ErrorName(event) : 'more'
}

describe('the HTTP/1.1 codec', () => {
  corpus<SmugglingCase>('http1-smuggling', (cases) => {
    const count = new Count()
    for (const row of cases) {
      const { bodies, end } = parseAll(octetsOf(row), 'request')
      if (row.expect === 'reject') {
        expect(bodies.length, `${row.id}: ${end}`).to.equal(0)
        if (row.timeout_ok !== true) expect(end, `${row.id} is refused at once`).not.to.equal('more')
      }
      if (row.expect === 'accept') expect(end, row.id).to.equal('end')
      if (bodies.length > 0 && row.forwarded_bodies_b64 !== undefined) {
        const wanted = row.forwarded_bodies_b64.map((body) => Buffer.from(body, 'base64').toString('latin1'))
        expect(
          bodies.map((body) => body.toString('latin1')),
          row.id,
        ).to.eql(wanted)
      }
      count.add(row.category)
    }
    count.print(`http1-smuggling, ${cases.length} cases`)
  })

  corpus<LlhttpCase>('llhttp', (cases) => {
    const count = new Count()
    // Pausing is not about octets: 22, 23 ask the caller to take over, 5 says that more came after the last message.
    const noErrors = new Set([5, 22, 23])
    for (const row of cases) {
      if (row.type !== 'request' && row.type !== 'response') {
        count.add('left out: lenient modes and explicit finish')
        continue
      }
      const octets = octetsOf(row)
      const text = octets.toString('latin1')
      const skipBody = row.meta?.skipBody === true
      const { bodies, end } = parseWithHost(octets, row.type, skipBody ? methodId.head : methodId.get)
      const refused = end !== 'end' && end !== 'more'
      if (row.error_code !== null && !noErrors.has(row.error_code)) {
        const method = row.type === 'request' && foreignMethods.test(text)
        expect(refused || method, `${row.id} (llhttp: error ${row.error_code}) ends in ${end}`).to.equal(true)
        count.add(refused ? `${row.type} refused` : 'looser here: any token is a method (RFC 9110 §9.1)')
      } else if (refused) {
        const difference = differenceOf(text, end)
        expect(difference, `${row.id} is refused as ${end}: ${JSON.stringify(text)}`).not.to.equal(undefined)
        count.add(`stricter here: ${difference}`)
      } else {
        expect(bodies.length, `${row.id}: ${end}`).to.be.at.least(row.messages_complete > 0 && !skipBody ? 1 : 0)
        count.add(`${row.type} taken`)
      }
    }
    count.print(`llhttp, ${cases.length} cases`)
  })

  corpus<HttparseCase>('httparse', (cases) => {
    const count = new Count()
    for (const row of cases) {
      const octets = octetsOf(row)
      const text = octets.toString('latin1')
      const end = row.parser === 'chunk-size' ? sizeLineEnd(octets) : parseWithHost(octets, row.parser).end
      const wanted = row.parser === 'chunk-size' && row.result === 'ok' ? 'more' : wantedEnds[row.result]
      if (wanted === undefined ? end !== 'end' && end !== 'more' : end === wanted) {
        count.add(`${row.parser} ${row.result}`)
        continue
      }
      const difference = differenceOf(text, end)
      expect(difference, `${row.id} wants ${row.result}, ends in ${end}: ${JSON.stringify(text)}`).not.to.equal(
        undefined,
      )
      count.add(`stricter here: ${difference}`)
    }
    count.print(`httparse, ${cases.length} cases`)
  })
})
