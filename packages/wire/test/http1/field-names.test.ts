import { expect } from 'chai'
import { FIELD_CLASS, fieldClass, fieldId, fieldIdOf } from '../../src/http1/field-names.ts'
import { bytes } from './octets.ts'

const idOf = (name: string) => fieldIdOf(bytes(`<${name}>`), 1, 1 + name.length)

describe('fieldIdOf', () => {
  it('knows names in any letter case', () => {
    for (const [name, id] of [
      ['Host', fieldId.host],
      ['hOsT', fieldId.host],
      ['TRANSFER-ENCODING', fieldId.transferEncoding],
      ['te', fieldId.te],
      ['Content-Type', fieldId.contentType],
      ['Sec-WebSocket-Accept', fieldId.secWebSocketAccept],
      ['X-Forwarded-For', fieldId.xForwardedFor],
      ['x-forwarded-proto', fieldId.xForwardedProto],
      ['X-Real-IP', fieldId.xRealIp],
      ['forwarded', fieldId.forwarded],
    ] as const) {
      expect(idOf(name), name).to.equal(id)
    }
  })

  it('does not know names that only look like them', () => {
    for (const name of ['Hos', 'Hosts', 'hos\x94', 'T', 'x', 'Content_Length', 'Transfer_Encoding', 'connectio~']) {
      expect(idOf(name), name).to.equal(fieldId.other)
    }
  })

  it('finds the whole origin family, with _ for - too', () => {
    for (const [name, id] of [
      ['X-Forwarded', fieldId.xForwardedOther],
      ['X-Forwarded-', fieldId.xForwardedOther],
      ['X-Forwarded-Prefix', fieldId.xForwardedOther],
      ['X-Client-Cert', fieldId.xClientCert],
      ['x-client-certificate', fieldId.xClientCert],
      ['X-Client-Cert-DN', fieldId.xClientCert],
      ['X_Forwarded_For', fieldId.originAlias],
      ['x-forwarded_for', fieldId.originAlias],
      ['X_REAL_IP', fieldId.originAlias],
      ['x-real_ip', fieldId.originAlias],
      ['X_Client-Cert-DN', fieldId.originAlias],
      ['X-Forwarded-Foo_Bar', fieldId.originAlias],
    ] as const) {
      expect(idOf(name), name).to.equal(id)
      expect(FIELD_CLASS[id]).to.equal(fieldClass.origin)
    }
    for (const name of ['X-Forward', 'X-Forwardedx', 'X-Real-IPs', 'X-Client-Cer', 'x-request-id', 'X-Forwarder-For']) {
      expect(idOf(name), name).to.equal(fieldId.other)
    }
  })

  it('classes what belongs to the connection', () => {
    for (const name of ['Connection', 'Keep-Alive', 'Proxy-Connection', 'TE', 'Upgrade', 'Transfer-Encoding']) {
      expect(FIELD_CLASS[idOf(name)]! & fieldClass.hopByHop, name).not.to.equal(0)
    }
    expect(FIELD_CLASS[fieldId.transferEncoding]! & fieldClass.framing).not.to.equal(0)
    expect(FIELD_CLASS[fieldId.host]).to.equal(fieldClass.plain)
    expect(FIELD_CLASS[fieldId.trailer]).to.equal(fieldClass.plain)
  })
})
