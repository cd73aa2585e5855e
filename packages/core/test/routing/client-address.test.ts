import { expect } from 'chai'
import { describe, it } from 'mocha'
import { TrustedProxies } from '../../src/routing/client-address.ts'

describe('TrustedProxies', () => {
  const proxies = new TrustedProxies(['10.0.0.0/8', 'fd00::/8', '192.0.2.1'])

  it('throws for what is no network', () => {
    expect(() => new TrustedProxies(['10.0.0.0/99'])).to.throw(TypeError, 'prefix length')
  })

  it('knows whom it trusts', () => {
    for (const address of ['10.1.2.3', 'fd12::1', '192.0.2.1', '::ffff:10.0.0.1'])
      expect(proxies.has(address), address).to.equal(true)
    for (const address of ['11.0.0.1', 'fe80::1', '192.0.2.2', 'unknown', ''])
      expect(proxies.has(address), address).to.equal(false)
  })

  it('believes nobody by default', () => {
    const nobody = new TrustedProxies([])
    expect(nobody.empty).to.equal(true)
    expect(nobody.clientAddress('10.0.0.1', '1.2.3.4')).to.equal('10.0.0.1')
  })

  it('takes the peer when the peer is not trusted', () => {
    expect(proxies.clientAddress('8.8.8.8', '1.2.3.4')).to.equal('8.8.8.8')
    expect(proxies.clientAddress('::ffff:8.8.8.8', undefined)).to.equal('8.8.8.8')
  })

  it('takes the first from the right that is not trusted', () => {
    expect(proxies.clientAddress('10.0.0.1', '6.6.6.6, 1.2.3.4, 10.9.9.9')).to.equal('1.2.3.4')
    expect(proxies.clientAddress('10.0.0.1', '1.2.3.4,10.0.0.3 , fd00::1')).to.equal('1.2.3.4')
    expect(proxies.clientAddress('', '1.2.3.4')).to.equal('1.2.3.4')
  })

  it('takes the leftmost when all are trusted', () => {
    expect(proxies.clientAddress('10.0.0.1', '10.0.0.3, 10.0.0.2')).to.equal('10.0.0.3')
  })

  it('stops at an entry that is no address', () => {
    expect(proxies.clientAddress('10.0.0.1', '1.2.3.4, unknown, 10.0.0.2')).to.equal('10.0.0.2')
    expect(proxies.clientAddress('10.0.0.1', '')).to.equal('10.0.0.1')
    expect(proxies.clientAddress('10.0.0.1', '1.2.3.4,')).to.equal('10.0.0.1')
  })

  it('drops ports and brackets', () => {
    expect(proxies.clientAddress('10.0.0.1', '1.2.3.4:5678')).to.equal('1.2.3.4')
    expect(proxies.clientAddress('10.0.0.1', '[2001:db8::1]:443')).to.equal('2001:db8::1')
    expect(proxies.clientAddress('10.0.0.1', '[2001:db8::1]')).to.equal('2001:db8::1')
    expect(proxies.clientAddress('10.0.0.1', '[2001:db8::1')).to.equal('10.0.0.1')
  })
})
