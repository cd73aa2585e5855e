import { expect } from 'chai'
import { describe, it } from 'mocha'
import {
  checkHealthService,
  checkOrigin,
  checkService,
  checkServicePattern,
  normaliseOrigin,
} from '../../src/config/grpc-text.ts'

describe('checkOrigin', () => {
  it('takes what browsers send as Origin, and the star', () => {
    for (const origin of [
      '*',
      'https://a.example.com',
      'http://localhost:3000',
      'https://[::1]:8443',
      'HTTPS://A:65535',
    ])
      expect(checkOrigin(origin), origin).to.equal(undefined)
  })

  it('says what is wrong with other texts', () => {
    const wrong = {
      '': 'is not an origin',
      null: 'is not an origin',
      'a.example.com': 'is not an origin',
      'ftp://a': 'is not an origin',
      'https://': 'is not an origin',
      'https://*.example.com': 'is not an origin',
      'https://u@a': 'is not an origin',
      'https://a:0': 'is not an origin',
      'https://a:65536': 'is not an origin',
      'https://a:x': 'is not an origin',
      'https://a b': 'is not an origin',
      'https://a/': 'must end after the host and port',
      'https://a?x': 'must end after the host and port',
    }
    for (const [origin, words] of Object.entries(wrong)) {
      expect(checkOrigin(origin)?.problem, origin).to.include(words)
    }
    expect(checkOrigin('https://a:1/b')?.hint).to.equal('Write `https://a:1`.')
  })
})

describe('normaliseOrigin', () => {
  it('is what browsers write: lower case, and no port that the scheme has anyway', () => {
    const cases = {
      'HTTPS://App.Example.com:443': 'https://app.example.com',
      'http://a:80': 'http://a',
      'http://a:443': 'http://a:443',
      'https://a:80': 'https://a:80',
      'https://[::1]:443': 'https://[::1]',
      '*': '*',
    }
    for (const [origin, normal] of Object.entries(cases)) expect(normaliseOrigin(origin)).to.equal(normal)
  })
})

describe('checkServicePattern', () => {
  it('takes full names, and packages with a star', () => {
    for (const name of ['Orders', 'shop.v1.Orders', '_a.b_2', 'shop.*', 'shop.v1.*'])
      expect(checkServicePattern(name), name).to.equal(undefined)
  })

  it('says what is wrong with other texts', () => {
    const wrong = {
      '': 'full name',
      '*': 'takes every service',
      'shop.*.Orders': 'only stand after a package',
      'shop.v1.O*': 'only stand after a package',
      '.shop': 'full name',
      'shop..v1': 'full name',
      'shop.1': 'full name',
      'shop/Orders': 'full name',
      'shöp.Orders': 'full name',
    }
    for (const [name, words] of Object.entries(wrong))
      expect(checkServicePattern(name)?.problem, name).to.include(words)
    expect(checkServicePattern('/shop.v1.Orders/Place')?.hint).to.equal('Write `shop.v1.Orders`.')
  })
})

describe('checkService', () => {
  it('takes no package', () => {
    expect(checkService('shop.v1.*')?.problem).to.include('full name')
    expect(checkService('shop.v1.Orders')).to.equal(undefined)
  })
})

describe('checkHealthService', () => {
  it('takes any name without a space, and the empty one', () => {
    for (const name of ['', 'shop.v1.Orders', 'readiness/db'])
      expect(checkHealthService(name), name).to.equal(undefined)
    for (const name of ['a b', 'a\n', 'é']) expect(checkHealthService(name), name).to.include('must have no space')
  })
})
