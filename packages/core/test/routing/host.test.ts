import { expect } from 'chai'
import { describe, it } from 'mocha'
import { formatHostPattern, hostName, isHostName, parseHostPattern } from '../../src/routing/host.ts'

describe('hostName', () => {
  it('drops port, brackets, letter case and the dot of the root', () => {
    const cases = {
      'API.Example.com:8080': 'api.example.com',
      'example.com.': 'example.com',
      'example.com.:80': 'example.com',
      '[::1]:80': '::1',
      '[FE80::1]': 'fe80::1',
      '::1': '::1',
      '': '',
      ':80': '',
      '10.0.0.1:1': '10.0.0.1',
    }
    for (const [authority, name] of Object.entries(cases)) expect(hostName(authority), authority).to.equal(name)
  })
})

describe('parseHostPattern', () => {
  it('reads names, wildcards and IP literals', () => {
    expect(parseHostPattern('API.example.com')).to.deep.equal({ name: 'api.example.com', wildcard: false })
    expect(parseHostPattern('*.Example.com')).to.deep.equal({ name: 'example.com', wildcard: true })
    expect(parseHostPattern('[::1]')).to.deep.equal({ name: '::1', wildcard: false })
    expect(parseHostPattern('::1')).to.deep.equal({ name: '::1', wildcard: false })
  })

  it('says what is wrong with other texts', () => {
    const wrong = {
      'a.*.b': 'first labels',
      'api*.com': 'first labels',
      '*': 'first labels',
      'example.com:80': 'port',
      'a b': 'not a host',
      '': 'not a host',
      'a..b': 'not a host',
      '1.2.3.256': 'not a host',
      '*.1.2.3.4': 'not a host',
      '-a.com': 'not a host',
    }
    for (const [text, words] of Object.entries(wrong))
      expect(parseHostPattern(text), text).to.be.a('string').that.includes(words)
  })

  it('comes back from its text', () => {
    for (const text of ['*.example.com', 'example.com', '::1']) {
      const parsed = parseHostPattern(text)
      expect(typeof parsed === 'string' ? parsed : formatHostPattern(parsed)).to.equal(text)
    }
  })
})

describe('isHostName', () => {
  it('knows the lengths of DNS', () => {
    expect(isHostName('a'.repeat(63))).to.equal(true)
    expect(isHostName('a'.repeat(64))).to.equal(false)
    expect(isHostName(Array(64).fill('aaa').join('.'))).to.equal(false)
  })
})
