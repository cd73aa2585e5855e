import { expect } from 'chai'
import { decodeMessage, encodeMessage } from '../src/message.ts'

describe('grpc-message', () => {
  it('keeps what may stand in a field as it is, and escapes the rest', () => {
    expect(encodeMessage('all of this: ~!"#$&()')).to.equal('all of this: ~!"#$&()')
    expect(encodeMessage('100%')).to.equal('100%25')
    expect(encodeMessage('a\r\nb\tc\x7f\0')).to.equal('a%0D%0Ab%09c%7F%00')
    expect(encodeMessage('ärger ☺ 😈')).to.equal('%C3%A4rger %E2%98%BA %F0%9F%98%88')
  })

  it('reads back what it has written', () => {
    for (const text of [
      '',
      '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n',
      '%41',
      '%',
      '\u0000\u00ff',
    ]) {
      expect(decodeMessage(encodeMessage(text))).to.equal(text)
    }
  })

  it('reads what others write wrongly, and never fails', () => {
    expect(decodeMessage('50%')).to.equal('50%')
    expect(decodeMessage('%4')).to.equal('%4')
    expect(decodeMessage('%zz%41%4g')).to.equal('%zzA%4g')
    expect(decodeMessage('%c3%a4')).to.equal('ä')
    expect(decodeMessage('%ff.')).to.equal('\ufffd.')
    expect(decodeMessage('\u00c3\u00a4')).to.equal('ä')
  })
})
