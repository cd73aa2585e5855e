import { expect } from 'chai'
import { describe, it } from 'mocha'
import { formatAddress, formatParsedAddress, parseBind, parseEndpointAddress } from '../../src/config/address.ts'
import { isProblem } from '../../src/config/problem.ts'

describe('parseBind', () => {
  it('reads host:port, [v6]:port, :port and unix:path', () => {
    expect(parseBind('0.0.0.0:8080')).to.deep.equal({ host: '0.0.0.0', port: 8080 })
    expect(parseBind('LocalHost:0')).to.deep.equal({ host: 'localhost', port: 0 })
    expect(parseBind('[::]:80')).to.deep.equal({ host: '::', port: 80 })
    expect(parseBind(':80')).to.deep.equal({ host: '', port: 80 })
    expect(parseBind('unix:/run/s.sock')).to.deep.equal({ path: '/run/s.sock' })
    expect(parseBind('unix:///run/s.sock')).to.deep.equal({ path: '/run/s.sock' })
  })
  it('says what is wrong with other texts', () => {
    const wrong = {
      '8080': 'no port',
      localhost: 'no port',
      ':': '0 to 65535',
      ':65536': '0 to 65535',
      ':-1': '0 to 65535',
      ':8o': '0 to 65535',
      '::1:80': 'no port',
      '[::1]': 'no port',
      '[1.2.3.4]:80': 'not a host',
      '[]:80': 'not a host',
      'a b:80': 'not a host',
      'unix:': 'no unix socket',
      'unix://run/s': 'no unix socket',
      'http://a:80': 'no port',
      '1.2.3.256:1': 'not a host',
    }
    for (const [text, words] of Object.entries(wrong)) {
      const parsed = parseBind(text)
      expect(isProblem(parsed) ? parsed.problem : JSON.stringify(parsed), text).to.include(words)
    }
    expect(parseBind('8080')).to.have.property('hint', 'Write `:8080`.')
  })
})

describe('parseEndpointAddress', () => {
  it('reads bare addresses, URLs and unix sockets', () => {
    const cases = {
      'A.internal:3000': 'a.internal:3000',
      '[::1]:1': '[::1]:1',
      'http://a:1': 'http://a:1',
      'http://a': 'http://a:80',
      'https://a/': 'https://a:443',
      'ws://a': 'ws://a:80',
      'wss://[::1]': 'wss://[::1]:443',
      'tcp://a:1': 'tcp://a:1',
      'h2c://a': 'h2c://a:80',
      'grpc://a:50051': 'grpc://a:50051',
      'grpcs://a': 'grpcs://a:443',
      'unix:/a': 'unix:/a',
    }
    for (const [text, canonical] of Object.entries(cases)) {
      const parsed = parseEndpointAddress(text)
      expect(isProblem(parsed) ? parsed : formatParsedAddress(parsed), text).to.equal(canonical)
    }
  })
  it('says what is wrong with other texts', () => {
    const wrong = {
      a: 'no port',
      'tcp://a': 'no port',
      'grpc://a': 'no port',
      'a:0': '1 to 65535',
      'ftp://a:1': 'scheme `ftp`',
      'unix2:/a': 'must end after the port',
      'http://u@a:1': 'without user',
      'http://a:1/x': 'without user, path or query',
      'http://a:1?x': 'without user, path or query',
      ':1': 'has no host',
      'http://:1': 'has no host',
      '::1': 'no port',
    }
    for (const [text, words] of Object.entries(wrong)) {
      const parsed = parseEndpointAddress(text)
      expect(isProblem(parsed) ? parsed.problem : JSON.stringify(parsed), text).to.include(words)
    }
  })
})

describe('formatAddress', () => {
  it('comes back from its text', () => {
    for (const text of [':80', '0.0.0.0:80', '[::1]:80', 'a:1', 'unix:/a']) {
      const parsed = parseBind(text)
      expect(isProblem(parsed) ? parsed : formatAddress(parsed)).to.equal(text)
    }
  })
})
