import { expect } from 'chai'
import { encodeTrailerFrame } from '../../src/web/trailer-frame.ts'

describe('the trailer frame of gRPC-Web', () => {
  it('has flag 0x80, a length, and lines with names in lower case', () => {
    const frame = encodeTrailerFrame([
      ['Grpc-Status', '0'],
      ['grpc-message', ''],
      ['X-Ids', '1'],
      ['x-ids', '2'],
    ])
    const lines = 'grpc-status: 0\r\ngrpc-message: \r\nx-ids: 1\r\nx-ids: 2\r\n'
    expect(frame.subarray(0, 5)).to.deep.equal(Buffer.from([0x80, 0, 0, 0, lines.length]))
    expect(frame.subarray(5).toString('latin1')).to.equal(lines)
  })

  it('carries octets above 0x7F as they are', () => {
    const frame = encodeTrailerFrame([['x', '\u00e4\u00ff']])
    expect(frame.subarray(5)).to.deep.equal(Buffer.from([0x78, 0x3a, 0x20, 0xe4, 0xff, 0x0d, 0x0a]))
    expect(frame.readUInt32BE(1)).to.equal(7)
  })

  it('lets no value forge a line', () => {
    const frame = encodeTrailerFrame([['x', 'a\r\ngrpc-status: 0\0']])
    expect(frame.subarray(5).toString('latin1')).to.equal('x: a  grpc-status: 0 \r\n')
  })
})
