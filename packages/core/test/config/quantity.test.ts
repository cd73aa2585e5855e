import { expect } from 'chai'
import { describe, it } from 'mocha'
import {
  formatDuration,
  formatRate,
  formatRatio,
  formatSize,
  parseDuration,
  parseRate,
  parseRatio,
  parseSize,
} from '../../src/config/quantity.ts'

describe('parseDuration', () => {
  it('reads ms, s, m, h, fractions and sums', () => {
    const cases = {
      '250ms': 250,
      '2s': 2_000,
      '1.5s': 1_500,
      '1m': 60_000,
      '1h': 3_600_000,
      '1h30m': 5_400_000,
      '0s': 0,
      '0.4ms': 0,
    }
    for (const [text, ms] of Object.entries(cases)) expect(parseDuration(text), text).to.equal(ms)
  })
  it('names the fix for a bare number', () => {
    expect(parseDuration('500')).to.deep.equal({
      problem: 'The duration 500 has no unit.',
      hint: 'Write 500ms or 500s.',
    })
  })
  it('refuses everything else, and what no timer can hold', () => {
    for (const text of ['', '1 s', '1d', '-1s', 's', '1S', '1e3s', 'off', '٣s', '597h', '9'.repeat(400) + 's'])
      expect(parseDuration(text), text).to.have.property('problem')
  })
})

describe('parseRate', () => {
  it('reads a size a second', () => {
    for (const [text, rate] of Object.entries({ '512B/s': 512, '1KiB/s': 1_024, '1.5MiB/s': 1_572_864 })) {
      expect(parseRate(text), text).to.equal(rate)
    }
  })
  it('names the fix for a bare number and for a size', () => {
    expect(parseRate('5')).to.deep.equal({ problem: 'The rate 5 has no unit.', hint: 'Write 5B/s or 5KiB/s.' })
    expect(parseRate('5KiB')).to.deep.equal({ problem: '`5KiB` is not a rate.', hint: 'Did you mean `5KiB/s`?' })
  })
  it('refuses everything else', () => {
    for (const text of ['', '/s', '1KiB/m', '1KB/s', '1 KiB/s', '-1B/s', 'off'])
      expect(parseRate(text), text).to.have.property('problem')
  })
  it('reads what formatRate writes', () => {
    for (const rate of [1, 1_024, 1_536, 1_048_576]) expect(parseRate(formatRate(rate))).to.equal(rate)
    expect(formatRate(0)).to.equal('off')
  })
})

describe('parseSize', () => {
  it('reads B, KiB, MiB and GiB', () => {
    const cases = { '0B': 0, '512B': 512, '64KiB': 65_536, '1.5MiB': 1_572_864, '1GiB': 1_073_741_824 }
    for (const [text, bytes] of Object.entries(cases)) expect(parseSize(text), text).to.equal(bytes)
  })
  it('names the unit that was meant', () => {
    expect(parseSize('64KB')).to.have.property('hint', 'Did you mean `64KiB`?')
    expect(parseSize('1g')).to.have.property('hint', 'Did you mean `1GiB`?')
    expect(parseSize('64')).to.have.property('hint', 'Write 64B or 64KiB.')
    expect(parseSize('x')).to.have.property('hint').that.includes('Sizes are written as')
  })
})

describe('parseRatio', () => {
  it('reads percents from 0 to 100', () => {
    expect(['0%', '20%', '12.5%', '100%'].map(parseRatio)).to.deep.equal([0, 0.2, 0.125, 1])
    for (const text of ['101%', '-1%', '%', '0.2x']) expect(parseRatio(text), text).to.have.property('problem')
  })
  it('reads a bare number below 1 as the part it was', () => {
    expect(parseRatio('0.5')).to.have.property('hint', 'Write 50%.')
    expect(parseRatio('50')).to.have.property('hint', 'Write 50%.')
  })
})

describe('formatting quantities', () => {
  it('gives what parses to the same', () => {
    for (const ms of [0, 1, 999, 1_000, 90_000, 3_600_000, 300_000])
      expect(parseDuration(formatDuration(ms))).to.equal(ms)
    for (const bytes of [0, 1, 1024, 1536, 65_536, 1024 ** 3]) expect(parseSize(formatSize(bytes))).to.equal(bytes)
    for (const ratio of [0, 0.07, 0.2, 0.5, 1]) expect(parseRatio(formatRatio(ratio))).to.equal(ratio)
    expect(formatDuration(Infinity)).to.equal('off')
  })
})
