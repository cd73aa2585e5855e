// HTTP/2 frames against http2-frame-test-case: our reader alone, and a session on a socket (CONFORMANCE.md).
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { type Http2Options, http2Error, http2ErrorName, http2Options, Http2Session, Http2Stream } from '@sluice/wire'
import { RawHttp2, h2 } from '../../packages/testkit/src/index.ts'
import { FrameReader } from '../../packages/wire/src/http2/frame-reader.ts'
import { Acceptor } from '../../packages/wire/src/link/index.ts'
import { CategoryCount, skipWithoutCorpus } from './corpora.ts'

const name = 'http2-frame-test-case'
const folder = join(process.env['SLUICE_CORPORA'] ?? join(import.meta.dirname, '../../../shared/corpora'), name)

/** The cases with the folders that they lie in, or `undefined` where there are none. */
function casesOf(): { readonly category: string; readonly document: FrameCase }[] | undefined {
  if (!existsSync(folder)) return undefined
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name: category }) =>
      readdirSync(join(folder, category)).map((file) => ({
        category,
        document: JSON.parse(readFileSync(join(folder, category, file), 'utf8')) as FrameCase,
      })),
    )
}

/** The texts that a payload may hold. */
interface FramePayload {
  readonly data?: string
  readonly header_block_fragment?: string
  readonly opaque_data?: string
  readonly additional_debug_data?: string
}

/** A frame in hexadecimal digits, and what it says or why it is wrong. */
interface FrameCase {
  readonly wire: string
  readonly error: readonly number[] | null
  readonly description: string
  readonly frame: {
    readonly length: number
    readonly type: number
    readonly flags: number
    readonly stream_identifier: number
    readonly frame_payload: FramePayload
  } | null
}

/** What our reader makes of bytes that hold one frame. */
interface Seen {
  type?: number
  flags?: number
  id?: number
  length?: number
  content: Buffer[]
}

function read(bytes: Buffer, step: number): Seen {
  const seen: Seen = { content: [] }
  const wrong = () => expect.fail('the frame is refused')
  const reader = new FrameReader(
    {
      reading: true,
      frame(type, flags, id, buf, start, end) {
        Object.assign(seen, { type, flags, id, length: end - start })
        seen.content.push(Buffer.from(buf.subarray(start, end)))
      },
      dataHead(id, flags, length) {
        Object.assign(seen, { type: h2.data, flags, id, length })
      },
      dataPart: (buf, start, end) => void seen.content.push(Buffer.from(buf.subarray(start, end))),
      paddingTooLong: wrong,
      wrongFrameSize: wrong,
      noPreface: wrong,
    },
    16_384,
    false,
  )
  for (let at = 0; at < bytes.length; at += step) reader.read(bytes, at, Math.min(bytes.length, at + step))
  return seen
}

/** The texts in a payload, which must be found in what was read. */
function textOf(payload: FramePayload): string {
  const { data, header_block_fragment, opaque_data, additional_debug_data } = payload
  return data ?? header_block_fragment ?? opaque_data ?? additional_debug_data ?? ''
}

class Ignoring extends Http2Stream {
  protected override onHead(): void {}
  protected override onData(): void {}
  protected override onTrailers(): void {}
  protected override onReset(): void {}
  protected override onSent(): void {}
}

/** Sends a frame to a server of ours after the handshake; gives the code of its GOAWAY. */
async function codeOf(bytes: Buffer): Promise<number> {
  const options: Http2Options = http2Options()
  const ignore = () => undefined
  const acceptor = new Acceptor({
    tls: undefined,
    admit: () => 0,
    leave: ignore,
    refused: ignore,
    accept: (link) =>
      new Http2Session(link, 'server', options, {
        newStream: () => new Ignoring(),
        onSettings: ignore,
        onGoaway: ignore,
        onIdle: ignore,
        onClose: ignore,
        onFault: ignore,
      }),
  })
  const { port } = (await acceptor.listen({ host: '127.0.0.1', port: 0 })) as { port: number }
  const peer = await RawHttp2.connect(port)
  try {
    await peer.send(bytes)
    return (await peer.ending()).code
  } finally {
    await peer.close()
    acceptor.destroy()
  }
}

describe('http2-frame-test-case', () => {
  it('frames are read as they are meant, whole and octet by octet', function () {
    const cases = casesOf()
    if (cases === undefined) return skipWithoutCorpus(this, name)
    const count = new CategoryCount()
    for (const { document, category } of cases) {
      const { frame, wire } = document
      if (frame === null) continue
      const bytes = Buffer.from(wire, 'hex')
      for (const step of [bytes.length, 1]) {
        const { type, flags, id, length, content } = read(bytes, step)
        expect([type, flags, id, length], document.description).to.deep.equal([
          frame.type,
          frame.flags,
          frame.stream_identifier,
          frame.length,
        ])
        const whole = Buffer.concat(content).toString('latin1')
        // DATA without its padding, the others with what is for the session to take apart.
        if (type === h2.data) expect(whole).to.equal(textOf(frame.frame_payload))
        else expect(whole).to.contain(textOf(frame.frame_payload))
      }
      count.add(category)
    }
    count.print(name)
    expect(count.total).to.equal(12)
  })

  it('frames that are wrong end the connection with a code that fits', async function () {
    const cases = casesOf()
    if (cases === undefined) return skipWithoutCorpus(this, name)
    const count = new CategoryCount()
    for (const { document } of cases) {
      if (document.error === null) continue
      const code = await codeOf(Buffer.from(document.wire, 'hex'))
      expect(code, `${document.description}: ${http2ErrorName(code)}`).to.be.oneOf([...document.error])
      expect(code).to.not.equal(http2Error.noError)
      count.add(http2ErrorName(code))
    }
    count.print(`${name}, errors`)
    expect(count.total).to.equal(22)
  })
})
