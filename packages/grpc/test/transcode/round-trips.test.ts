import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { SeededRandom } from '../../../testkit/src/seeded-random.ts'
import type { Binding } from '../../src/transcode/binding.ts'
import { answer, ask, fixture, loadFixture } from './fixture.ts'
import { type Independent, protobuf } from './independent.ts'

const rounds = 500

/**
 * Random messages of kinds.v1.All in the JSON that protobufjs and proto3 agree on: nothing that is a default, and no
 * maps by 64-bit numbers or truths, whose keys protobufjs changes.
 */
class RandomMessages {
  readonly #random: SeededRandom

  constructor(seed: number) {
    this.#random = new SeededRandom(seed)
  }

  all(): Record<string, unknown> {
    const choice = this.#random.pick(['chosenText', 'chosenNumber', 'chosenNested', undefined])
    const chosen: Record<string, unknown> = {
      chosenText: this.#text(),
      chosenNumber: this.#whole(-63),
      chosenNested: this.#nested(0),
    }
    return this.#some({
      scalars: this.#some(this.#scalars()),
      lists: this.#some(this.#lists()),
      maps: this.#some({
        strings: { [this.#text()]: this.#text(), [this.#text()]: '' },
        int64s: { [this.#whole(-31)]: this.#whole(-63) },
        doubles: { [this.#whole(-31)]: this.#double() },
      }),
      nested: this.#nested(0),
      ...(choice === undefined ? {} : { [choice]: chosen[choice] }),
      maybe: this.#random.below(2),
    })
  }

  #scalars(): Record<string, unknown> {
    return {
      aDouble: this.#double(),
      aFloat: this.#random.below(1 << 20) / 4 + 0.25,
      anInt32: Number(this.#whole(-31)),
      anInt64: this.#whole(-63),
      aUint32: Number(this.#whole(32)),
      aUint64: this.#whole(64),
      aSint32: Number(this.#whole(-31)),
      aSint64: this.#whole(-63),
      aFixed32: Number(this.#whole(32)),
      aFixed64: this.#whole(64),
      aSfixed32: Number(this.#whole(-31)),
      aSfixed64: this.#whole(-63),
      aBool: true,
      aString: this.#text(),
      aBytes: this.#bytes(),
      aColour: this.#random.pick(['RED', 'BLUE']),
    }
  }

  #lists(): Record<string, unknown> {
    const lists: Record<string, unknown[]> = { nested: [this.#nested(0), {}] }
    for (let i = this.#random.below(4); i >= 0; i--) {
      const scalars = this.#scalars()
      for (const [name, value] of Object.entries(scalars)) {
        const plural =
          name === 'aBytes' ? 'bytes' : `${name.replace(/^an?/, '').replace(/^./, (letter) => letter.toLowerCase())}s`
        ;(lists[plural] ??= []).push(value)
      }
    }
    return lists
  }

  #nested(depth: number): Record<string, unknown> {
    const deeper = depth < 5 && this.#random.chance(0.6) ? { deeper: this.#nested(depth + 1) } : {}
    return this.#some({ text: this.#text(), ...deeper, colour: 'RED' })
  }

  /** A whole number but 0, of as many bits, below zero too when these are negative. */
  #whole(bits: number): string {
    const wide = (BigInt(this.#random.below(2 ** 32)) << 32n) | BigInt(this.#random.below(2 ** 32))
    const size = BigInt(Math.abs(bits) - (this.#random.chance(0.5) ? this.#random.below(Math.abs(bits) - 1) : 0))
    const value = BigInt.asUintN(Number(size), wide) || 1n
    return String(bits < 0 && this.#random.chance(0.5) ? -value : value)
  }

  #double(): number | string {
    if (this.#random.chance(0.2))
      return this.#random.pick(['NaN', 'Infinity', '-Infinity', 5e-324, 1.7976931348623157e308])
    return this.#random.next() - 0.5 || 1
  }

  #text(): string {
    return this.#random.pick(['a', 'äöü', '☺😈', '\u0000"\\\n', 'constructor', 'x'.repeat(200)])
  }

  #bytes(): string {
    const length = 1 + this.#random.below(40)
    return Buffer.from(Array.from({ length }, () => this.#random.below(256))).toString('base64')
  }

  #some(object: Record<string, unknown>): Record<string, unknown> {
    return Object.fromEntries(Object.entries(object).filter(() => this.#random.chance(0.6)))
  }
}

describe('transcoding', () => {
  let kinds: Binding
  let definitions: Independent
  before(async () => {
    kinds = (await loadFixture('kinds.proto')).match('POST', '/kinds')!
    definitions = protobuf('kinds.proto')
  })

  it('reads and writes what protobufjs does', () => {
    const seed = Math.floor(Math.random() * 2 ** 31)
    const messages = new RandomMessages(seed)
    for (let round = 0; round < rounds; round++) {
      const json = messages.all()
      const name = `seed ${seed}, round ${round}`
      const message = ask(kinds, '/kinds', json)
      if (typeof message === 'string') throw new Error(`${name}: ${message}`)
      expect(definitions.object('kinds.v1.All', message), name).to.deep.equal(json)
      expect(answer(kinds, definitions.message('kinds.v1.All', json)), name).to.deep.equal(json)
    }
  })

  it("reads and writes what Google's own library for Python does", () => {
    const vectors = JSON.parse(readFileSync(fixture('kinds-vectors.json'), 'utf8')) as {
      message: string
      json: object
    }[]
    expect(vectors).to.have.length(14)
    for (const [i, { message, json }] of vectors.entries()) {
      const octets = Buffer.from(message, 'base64')
      expect(answer(kinds, octets), `vector ${i}`).to.deep.equal(json)
      // Its maps come in any order, and lists are packed here; what is read again must be the same.
      const written = ask(kinds, '/kinds', json) as Buffer
      expect(answer(kinds, written), `vector ${i}`).to.deep.equal(json)
    }
  })

  it('survives any octets', () => {
    const seed = Math.floor(Math.random() * 2 ** 31)
    const random = new SeededRandom(seed)
    const messages = new RandomMessages(seed)
    for (let round = 0; round < rounds; round++) {
      const message = Buffer.from(ask(kinds, '/kinds', messages.all()) as Buffer)
      for (let i = random.below(4); i >= 0 && message.length > 0; i--)
        message[random.below(message.length)] = random.below(256)
      const cut = message.subarray(0, random.below(message.length + 1))
      const json = answer(kinds, cut)
      if (typeof json === 'string') expect(json, `seed ${seed}, round ${round}`).to.match(/^13 /)
    }
  })

  it('survives any request', () => {
    const seed = Math.floor(Math.random() * 2 ** 31)
    const random = new SeededRandom(seed)
    const messages = new RandomMessages(seed)
    const pieces = [
      '{',
      '}',
      '[',
      ']',
      ':',
      ',',
      '"',
      '1e999',
      '-0',
      'null',
      '"__proto__":',
      '\\ud800',
      '9'.repeat(50),
      '\0',
    ]
    const parts = [
      '?',
      '&',
      '=',
      '%',
      '%2F',
      '%ff',
      '#',
      '+',
      '.',
      'at',
      'scalars.aBytes',
      '__proto__',
      'nested.deeper',
    ]
    for (let round = 0; round < rounds; round++) {
      let body = JSON.stringify(messages.all())
      let target = '/kinds?'
      for (let i = random.below(5); i >= 0; i--) {
        const at = random.below(body.length + 1)
        body = body.slice(0, at) + random.pick(pieces) + body.slice(at + random.below(3))
        target += random.pick(parts)
      }
      for (const [to, octets] of [
        ['/kinds', body],
        [target, ''],
      ] as const) {
        const message = ask(kinds, to, octets)
        const name = `seed ${seed}, round ${round}: ${to} ${octets}`
        if (typeof message === 'string') expect(message, name).to.match(/^3 .*\.$/s)
        else expect(answer(kinds, message), name).to.be.an('object')
      }
    }
  })
})
