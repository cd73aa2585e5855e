import { expect } from 'chai'
import { formatTimeout, parseTimeout } from '../src/timeout.ts'

describe('grpc-timeout', () => {
  it('is read in all units', () => {
    const read = ['1H', '2M', '3S', '4m', '5u', '6n', '99999999H', '00000001S', '0n'].map(parseTimeout)
    expect(read).to.deep.equal([3_600_000, 120_000, 3_000, 4, 0.005, 0.000006, 99_999_999 * 3_600_000, 1_000, 0])
  })

  it('is refused when it is not in the grammar', () => {
    for (const bad of [
      '',
      'S',
      '1',
      '1s',
      '1h',
      '1ms',
      '123456789m',
      '-1S',
      '+1S',
      '1.5S',
      ' 1S',
      '1S ',
      '1 S',
      '٣S',
      '0x1S',
    ]) {
      expect(parseTimeout(bad), bad).to.equal(undefined)
    }
  })

  it('is written in the finest unit that has eight digits', () => {
    const written = [0.000_001, 1, 99, 100, 1_000, 100_000, 3_600_000, 1e8, 1e11, 6e12, 1e20].map(formatTimeout)
    expect(written).to.deep.equal([
      '1n',
      '1000000n',
      '99000000n',
      '100000u',
      '1000000u',
      '100000m',
      '3600000m',
      '100000S',
      '1666667M',
      '1666667H',
      '99999999H',
    ])
  })

  it('says one nanosecond when nothing is left', () => {
    expect([0, -5].map(formatTimeout)).to.deep.equal(['1n', '1n'])
  })

  it('is never written shorter than it is, and always readable', () => {
    for (let ms = 0.000_000_3; ms < 1e12; ms *= 1.7) {
      const read = parseTimeout(formatTimeout(ms))
      expect(read).to.be.within(ms * (1 - 1e-12), ms * 1.001 + 1e-6)
    }
  })
})
