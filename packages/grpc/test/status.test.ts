import { status as grpcJs } from '@grpc/grpc-js'
import { expect } from 'chai'
import { httpOfStatus, parseStatus, statusCode, statusName, statusOfHttp, statusOfReset } from '../src/status.ts'

describe('status', () => {
  it('has the codes and names that @grpc/grpc-js has', () => {
    const names = Object.keys(grpcJs).filter((name) => Number.isNaN(Number(name)))
    expect(Object.keys(statusCode)).to.have.members(names)
    for (const [name, code] of Object.entries(statusCode)) {
      expect(grpcJs[code]).to.equal(name)
      expect(statusName(code)).to.equal(name)
    }
    expect(statusName(17)).to.equal(undefined)
  })

  it('reads a grpc-status, and UNKNOWN from what is no known code', () => {
    expect(parseStatus('0')).to.equal(0)
    expect(parseStatus('16')).to.equal(16)
    for (const bad of ['17', '99', '', '-1', '1.5', 'OK', ' 0', '0x0', '000']) expect(parseStatus(bad)).to.equal(2)
  })

  it('maps HTTP statuses as http-grpc-status-mapping.md does', () => {
    const mapped = [400, 401, 403, 404, 429, 502, 503, 504].map(statusOfHttp)
    expect(mapped).to.deep.equal([13, 16, 7, 12, 14, 14, 14, 14])
    for (const other of [201, 204, 302, 405, 408, 418, 500, 501, 505]) expect(statusOfHttp(other)).to.equal(2)
  })

  it('maps reset codes as PROTOCOL-HTTP2.md does, and UNKNOWN where it is silent', () => {
    const mapped = Array.from({ length: 14 }, (_, code) => statusOfReset(code))
    expect(mapped).to.deep.equal([13, 13, 13, 13, 13, 2, 13, 14, 1, 13, 13, 8, 7, 2])
    expect(statusOfReset(0xffffffff)).to.equal(2)
  })

  it('maps codes to HTTP statuses as google.rpc.Code does', () => {
    const mapped = Array.from({ length: 17 }, (_, code) => httpOfStatus(code))
    expect(mapped).to.deep.equal([200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401])
    expect(httpOfStatus(17)).to.equal(500)
  })
})
