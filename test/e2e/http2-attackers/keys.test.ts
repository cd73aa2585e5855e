import { expect } from 'chai'
import { type Backend, startHttpBackend } from '../../../packages/backends/src/index.ts'
import {
  dataFrame,
  frame,
  h2,
  headerBlock,
  headersFrame,
  pingFrame,
  RawHttp2,
  requestFields,
  rstFrame,
  settingsFrame,
  windowUpdateFrame,
} from '../../../packages/testkit/src/http2/index.ts'
import { RawClient } from '../../../packages/testkit/src/raw/index.ts'
import { http2Error } from '../../../packages/wire/src/index.ts'
import { Stage } from '../support/stage.ts'

/** Numbers of settings (RFC 9113 §6.5.2). */
const setting = { maxConcurrentStreams: 3, initialWindowSize: 4 } as const
const kibibyte = 1_024

const hang = (id: number) => headersFrame(id, requestFields('/hang'))
const upload = (id: number) => headersFrame(id, requestFields('/hash', 'POST'), h2.endHeaders)
const times = (count: number, say: (turn: number) => Buffer) => Array.from({ length: count }, (_, turn) => say(turn))

/** More of each kind than its bound allows; the handshake's own SETTINGS count as well. */
const floods: Readonly<Record<string, (count: number) => readonly Buffer[]>> = {
  maxResets: (count) => times(count, (turn) => Buffer.concat([hang(2 * turn + 1), rstFrame(2 * turn + 1, 8)])),
  maxPings: (count) => times(count, () => pingFrame()),
  maxSettings: (count) => times(count, () => settingsFrame()),
  maxEmptyFrames: (count) => [upload(1), ...times(count, () => dataFrame(1, ''))],
  maxPriorities: (count) => times(count, () => frame(h2.priority, { id: 1, payload: Buffer.alloc(5) })),
  maxWindowUpdates: (count) => times(count, () => windowUpdateFrame(0, 1)),
  maxContinuations: (count) => [
    frame(h2.headers, { id: 1, payload: headerBlock(requestFields('/hang')) }),
    ...times(count - 1, () => frame(h2.continuation, { id: 1, payload: headerBlock([['x', '1']]) })),
    frame(h2.continuation, { id: 1, flags: h2.endHeaders }),
  ],
}

describe('http2 of a listener', () => {
  let backend: Backend
  let stage: Stage
  let peer: RawHttp2

  before(async () => {
    backend = await startHttpBackend()
  })
  after(() => backend.close())
  afterEach(async () => {
    await peer.close()
    await stage.close()
  })

  async function start(http2: Readonly<Record<string, unknown>>): Promise<void> {
    const upstream = `http://127.0.0.1:${backend.address.port}`
    stage = await Stage.start({ listeners: { web: { bind: '127.0.0.1:0', protocol: 'http', upstream, http2 } } })
    peer = await RawHttp2.connect(stage.port('web'))
  }

  /** What the first SETTINGS of Sluice say. */
  function settings(): Map<number, number> {
    const { payload } = peer.frames.find(({ type, flags }) => type === h2.settings && (flags & h2.ack) === 0)!
    const said = new Map<number, number>()
    for (let at = 0; at < payload.length; at += 6) said.set(payload.readUInt16BE(at), payload.readUInt32BE(at + 2))
    return said
  }

  it('maxStreams: as many are told to the client, and one more is refused', async () => {
    await start({ maxStreams: 3 })
    expect(settings().get(setting.maxConcurrentStreams)).to.equal(3)
    await peer.send(hang(1), hang(3), hang(5), hang(7))
    const { id, payload } = await peer.next({ type: h2.rstStream })
    expect([id, payload.readUInt32BE()]).to.deep.equal([7, http2Error.refusedStream])
  })

  it('window: what a stream may send before it has credit; more ends it', async () => {
    await start({ window: '2KiB' })
    expect(settings().get(setting.initialWindowSize)).to.equal(2 * kibibyte)
    await peer.send(upload(1), dataFrame(1, Buffer.alloc(2 * kibibyte + 1)))
    const { id, payload } = await peer.next({ type: h2.rstStream })
    expect([id, payload.readUInt32BE()]).to.deep.equal([1, http2Error.flowControlError])
  })

  for (const maxKib of [64, 256]) {
    it(`maxWindow: a window of 64 KiB grows to ${maxKib} KiB while the upstream keeps up`, async () => {
      await start({ window: '64KiB', maxWindow: `${maxKib}KiB` })
      await peer.send(upload(1))
      let room = 64 * kibibyte
      let largest = room
      for (let sent = 0; sent < 2_048 * kibibyte; ) {
        const length = Math.min(room, 16_384)
        if (length > 0) await peer.send(dataFrame(1, Buffer.alloc(length)))
        sent += length
        room -= length
        if (room === 0) room += (await peer.next({ type: h2.windowUpdate, id: 1 })).payload.readUInt32BE()
        largest = Math.max(largest, room)
      }
      expect(largest).to.be.at.most(maxKib * kibibyte)
      if (maxKib > 64) expect(largest).to.be.above(64 * kibibyte)
    })
  }

  for (const [key, flood] of Object.entries(floods)) {
    it(`${key}: fewer pass, more end the connection`, async () => {
      await start({ [key]: 20 })
      await peer.send(...flood(18))
      const ping = pingFrame('fewer ok')
      await peer.send(ping)
      await peer.next({ type: h2.ping, flags: h2.ack })
      await peer.close()

      peer = await RawHttp2.connect(stage.port('web'))
      // As much again comes within the second that it may take us; less than what the defaults allow.
      await peer.send(...flood(key === 'maxContinuations' ? 30 : 90))
      const { code, debug } = await peer.ending()
      expect([code, debug]).to.deep.equal([http2Error.enhanceYourCalm, `more than ${key} allows`])
    })
  }

  it('maxUnsentControl: what may wait for a client that does not read; more ends the connection', async () => {
    // Answers to them are more than the kernel takes for both sides, and the bound's default.
    const pings = 900_000
    const answersOf = async (maxUnsentControl: string): Promise<RawClient> => {
      await start({ maxUnsentControl, maxPings: 1_000_000 })
      const client = await RawClient.connect(stage.port('web'))
      client.pause()
      await client.write(Buffer.concat([Buffer.from(h2.preface), settingsFrame()]))
      const many = Buffer.concat(times(1_000, () => pingFrame()))
      for (let sent = 0; sent < pings; sent += 1_000) await Promise.race([client.write(many), client.closed])
      return client
    }
    const kept = await answersOf('64MiB')
    kept.resume()
    let answers = 0
    while (answers < pings) {
      const { length } = await kept.readExactly(17 * 1_000)
      answers += length / 17
    }
    await kept.close()
    await peer.close()
    await stage.close()

    const ended = await answersOf('16KiB')
    await ended.closed
    await ended.close()
  })

  for (const [what, runs] of [
    ['that rests', false],
    ['on which something runs', true],
  ] as const) {
    it(`maxAge: a connection ${what} is asked to end`, async () => {
      const begun = performance.now()
      await start({ maxAge: '1s' })
      if (runs) await peer.send(hang(1))
      const { payload } = await peer.next({ type: h2.goaway })
      expect(performance.now() - begun).to.be.at.least(1_000)
      expect(payload.readUInt32BE(4)).to.equal(http2Error.noError)
      // Requests may be on their way.
      expect(payload.readUInt32BE()).to.equal(2 ** 31 - 1)
    })
  }

  it('ping: a client from which nothing comes is asked whether it is there', async () => {
    await start({ ping: '1s' })
    await peer.send(hang(1))
    const begun = performance.now()
    const { flags, payload } = await peer.next({ type: h2.ping })
    expect(performance.now() - begun).to.be.at.least(900)
    expect(flags & h2.ack).to.equal(0)
    await peer.send(frame(h2.ping, { flags: h2.ack, payload }))
  })
})
