import { expect } from 'chai'
import type { Tally } from '../../../packages/backends/src/index.ts'
import { encodeCloseFrame } from '../../../packages/wire/src/websocket/index.ts'
import type { RawClient } from '../../../packages/testkit/src/raw/index.ts'
import type { SeededRandom } from '../../../packages/testkit/src/seeded-random.ts'
import { get, handshake, request, response } from './ask.ts'
import type { Stage } from './stage.ts'

/** What came of a unit. `lost`: neither end of it meant it to break off. */
export type UnitEnd = 'served' | 'cut' | 'lost'

/** How units are made. */
export interface LoadOptions {
  readonly random: SeededRandom
  /** How many of the units their clients break off, from 0 to 1. Default: 0. */
  readonly cuts?: number
  /** Learns of each unit that is about to be cut. */
  readonly tally?: Tally
  /** Whether some transfers are larger than what the kernel holds for a peer that does not read. Default: true. */
  readonly large?: boolean
}

const mebibyte = 1_048_576
/** How many of the units are large. */
const largeShare = 0.03
const pieceBytes = 20_000
const patientMs = 120_000

/** Units of http (listener `web`), tcp (`raw`) and websocket (`live`) through a proxy in front of test backends. */
export class Load {
  /** What came of them. */
  readonly ends: Record<UnitEnd, number> = { served: 0, cut: 0, lost: 0 }
  /** How units were lost, with their number. */
  readonly losses = new Map<string, number>()
  readonly #stage: Stage
  readonly #options: LoadOptions
  #units = 0

  constructor(stage: Stage, options: LoadOptions) {
    this.#stage = stage
    this.#options = options
  }

  /** Runs so many units, all at once. */
  async atOnce(count: number): Promise<void> {
    await Promise.all(Array.from({ length: count }, () => this.one()))
  }

  /** Runs units, so many at a time, until `done` resolves. */
  async until(done: Promise<unknown>, atATime: number): Promise<void> {
    let over = false
    const clients = Array.from({ length: atATime }, async () => {
      while (!over) {
        const { lost } = this.ends
        await this.one()
        // Whoever finds nobody there does not come again at once.
        if (this.ends.lost > lost) await turns(20)
      }
    })
    await done
    over = true
    await Promise.all(clients)
  }

  /** Runs one unit, of a kind by chance. */
  async one(): Promise<void> {
    const { random, large = true } = this.#options
    const kind = random.pick(large && random.chance(largeShare) ? slowReaders : small)
    const unit = `u${this.#units++}`
    let end: UnitEnd
    try {
      end = await this.#run(kind, unit)
    } catch (error) {
      if (!(error instanceof Error)) throw error
      end = 'lost'
      const how = `${kind.name}: ${error.message.slice(0, 120).replaceAll(unit, 'u')}`
      this.losses.set(how, (this.losses.get(how) ?? 0) + 1)
    }
    this.ends[end]++
  }

  async #run(kind: Kind, unit: string): Promise<UnitEnd> {
    const { random, cuts = 0, tally } = this.#options
    const client = await this.#stage.client(kind.listener, { timeoutMs: patientMs })
    let over = false
    let cut = false
    const leave = () => {
      if (over) return
      cut = true
      tally?.cut(unit)
      if (random.chance(0.5)) client.rst()
      else void client.close()
    }
    if (random.chance(cuts)) void turns(Math.floor(random.next() ** 3 * 300)).then(leave)
    try {
      await kind.run(client, unit, random)
      return 'served'
    } catch (error) {
      if (cut) return 'cut'
      throw error
    } finally {
      over = true
      await client.close()
    }
  }
}

interface Kind {
  readonly name: string
  readonly listener: 'web' | 'raw' | 'live'
  run(client: RawClient, unit: string, random: SeededRandom): Promise<void>
}

const small: readonly Kind[] = [
  {
    name: 'GET',
    listener: 'web',
    run: async (client, unit, random) => {
      await client.write(get(`/slow?ms=${random.below(5)}&unit=${unit}`))
      expect((await response(client)).status).to.equal(200)
    },
  },
  {
    name: 'three GETs on a connection',
    listener: 'web',
    run: async (client, unit) => {
      for (const part of ['a', 'b', 'c']) {
        await client.write(get(`/slow?ms=1&unit=${unit}${part}`))
        expect((await response(client)).status).to.equal(200)
      }
    },
  },
  {
    name: 'POST with a length',
    listener: 'web',
    run: async (client, unit) => {
      const size = 10 * pieceBytes
      await client.write(request('POST', `/hash?unit=${unit}`, [`Content-Length: ${size}`]))
      for (let sent = 0; sent < size; sent += pieceBytes) {
        await client.write('x'.repeat(pieceBytes))
        await turns(1)
      }
      const { status, body } = await response(client)
      expect([status, body.toString()]).to.satisfy(
        ([code, text]: [number, string]) => code === 200 && text.includes(`${size}`),
      )
    },
  },
  {
    name: 'POST in chunks',
    listener: 'web',
    run: async (client, unit) => {
      await client.write(request('POST', `/echo?unit=${unit}`, ['Transfer-Encoding: chunked']))
      await client.write(`1388\r\n${'x'.repeat(5_000)}\r\n`)
      await turns(2)
      await client.write('0\r\n\r\n')
      expect((await response(client)).body.toString()).to.include('x'.repeat(5_000))
    },
  },
  {
    name: 'tunnel',
    listener: 'raw',
    run: async (client, unit, random) => {
      const text = `unit ${unit}\n${'x'.repeat(random.below(60_000))}`
      await client.write(text)
      expect((await client.readExactly(text.length)).toString('latin1') === text).to.equal(true)
      await client.fin()
      expect((await client.readToEnd()).length).to.equal(0)
    },
  },
  {
    name: 'session',
    listener: 'live',
    run: async (client, unit) => {
      await client.write(handshake(`/?unit=${unit}`))
      expect(await client.readHead()).to.match(/^HTTP\/1.1 101 /)
      for (let i = 0; i < 3; i++) {
        await client.write('\x81\x85\0\0\0\0hello')
        expect((await client.readExactly(7)).toString('latin1')).to.equal('\x81\x05hello')
      }
      await client.write(encodeCloseFrame(1_000, '', Buffer.alloc(4)))
      expect((await client.readToEnd()).subarray(0, 4)).to.deep.equal(encodeCloseFrame(1_000))
      await client.fin()
    },
  },
]

const slowReaders: readonly Kind[] = [
  {
    name: 'slow reader of a response',
    listener: 'web',
    run: async (client, unit) => {
      await client.write(get(`/bytes/${8 * mebibyte}?unit=${unit}`))
      await client.readHead()
      await readSlowly(client, 8 * mebibyte)
    },
  },
  {
    name: 'slow reader of a tunnel',
    listener: 'raw',
    run: async (client, unit) => {
      const text = `unit ${unit}\n${'x'.repeat(8 * mebibyte)}`
      void client.write(text)
      await readSlowly(client, text.length)
      await client.fin()
      expect((await client.readToEnd()).length).to.equal(0)
    },
  },
]

async function readSlowly(client: RawClient, bytes: number): Promise<void> {
  for (let left = bytes; left > 0; ) {
    client.pause()
    await turns(3)
    client.resume()
    const wanted = Math.min(left, mebibyte)
    left -= (await client.readExactly(wanted)).length
  }
}

/** So many turns of the event loop. */
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}
