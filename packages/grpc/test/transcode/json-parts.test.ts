import { expect } from 'chai'
import { lookThrough } from '../../src/transcode/json-parts.ts'
import { FieldProblem } from '../../src/transcode/transcode-error.ts'

const look = (json: string): boolean => lookThrough(Buffer.from(json))
const list = (item: string, count: number) => `[${Array(count).fill(item).join(',')}]`

describe('a look through JSON', () => {
  it('finds numbers that a double may not hold', () => {
    for (const json of ['1234567890123456', '[-1234567890123456789]', '{"a":1234567890123456}', '1234567890123456.5']) {
      expect(look(json), json).to.equal(true)
    }
    for (const json of ['123456789012345', '"1234567890123456"', '0.1234567890123456789', '[12345678,90123456]', '']) {
      expect(look(json), json).to.equal(false)
    }
    expect(look(String.raw`["\"1234567890123456","\\",1234567890123456]`)).to.equal(true)
    expect(look(String.raw`["\\\"1234567890123456"]`)).to.equal(false)
  })

  it('refuses more lists, objects, values and keys than a message may have', () => {
    const tooMany = 'the body has too many parts for a message'
    for (const [item, most] of [
      ['1', 600_000],
      ['""', 600_000],
      ['[]', 180_000],
      ['{}', 180_000],
      ['{"a":1}', 140_000],
    ] as const) {
      expect(look(list(item, most)), item).to.equal(false)
      expect(() => look(list(item, 2 * most)), item).to.throw(FieldProblem, tooMany)
    }
    // Then each of them is looked at.
    expect(look(list('1234567890123456', 130_000))).to.equal(true)
    expect(() => look(`[1234567890123456,${list('1', 140_000)}]`)).to.throw(FieldProblem, tooMany)
  })

  it('refuses what is nested deeper than any message', () => {
    expect(look('['.repeat(200) + ']'.repeat(200))).to.equal(false)
    expect(look(list('[]', 1_000))).to.equal(false)
    expect(() => look('['.repeat(2_000_000))).to.throw(FieldProblem, 'nested more than 100 deep')
    expect(() => look('{"a":'.repeat(400))).to.throw(FieldProblem, 'nested more than 100 deep')
  })

  it('does not count what stands in texts, and passes what is no JSON', () => {
    expect(look(`"${'[{,:'.repeat(1_000_000)}"`)).to.equal(false)
    for (const json of ['"', '"\\', '"a\\"', ']]]]', '{"a', '\u{1f600}']) expect(look(json), json).to.equal(false)
  })
})
