import { expect } from 'chai'
import { encodeCloseFrame } from '../../src/websocket/close-frame.ts'

describe('encodeCloseFrame', () => {
  it('holds the code and the reason', () => {
    expect(encodeCloseFrame(1001).toString('hex')).to.equal('880203e9')
    expect(encodeCloseFrame(1013, 'é').toString('hex')).to.equal('880403f5c3a9')
  })

  it('is masked with the key it is given', () => {
    expect(encodeCloseFrame(1001, 'ab', Buffer.of(1, 2, 3, 4)).toString('hex')).to.equal('88840102030402eb6266')
  })

  it('cuts a long reason before the character that does not fit', () => {
    const frame = encodeCloseFrame(1000, `${'a'.repeat(122)}é`)
    expect([frame[1], frame.length]).to.eql([124, 126])
    expect(encodeCloseFrame(1000, 'a'.repeat(200)).length).to.equal(127)
    const text = encodeCloseFrame(1000, '€'.repeat(60)).subarray(4).toString('utf8')
    expect(text).to.equal('€'.repeat(41))
  })
})
