import { expect } from 'chai'
import { isAuthority, portOf } from '../../src/http1/authority.ts'
import { bytes } from './octets.ts'

const sound = (text: string) => isAuthority(bytes(`<${text}>`), 1, 1 + text.length)

describe('isAuthority', () => {
  it('takes names, addresses and ports', () => {
    for (const text of [
      'a',
      'a.test',
      'A-b_c~d.test:80',
      'a.test:',
      'a:65535',
      '127.0.0.1:8080',
      'a%20b',
      "!$&'()*+,;=",
      '[::]',
      '[::1]:80',
      '[2001:db8::1]',
      '[1:2:3:4:5:6:7:8]',
      '[1::8]',
      '[1:2:3:4:5:6:7::]',
      '[::ffff:127.0.0.1]',
      '[1:2:3:4:5:6:1.2.3.4]',
      '[v1.a:b]',
    ]) {
      expect(sound(text), text).to.equal(true)
    }
  })

  it('refuses everything else', () => {
    for (const text of [
      '',
      ':80',
      'u@a',
      'a/b',
      'a b',
      'a:b',
      'a:-1',
      'a:65536',
      'a:1:2',
      'a%2',
      'a%zz',
      'a\xe9',
      '::1',
      '[]',
      '[::1',
      '::1]',
      '[a.test]',
      '[:::]',
      '[1::2::3]',
      '[1:2:3:4:5:6:7]',
      '[1:2:3:4:5:6:7:8:9]',
      '[1:2:3:4:5:6:7:8::]',
      '[12345::]',
      '[:1]',
      '[1:]',
      '[::1%25eth0]',
      '[::256.0.0.1]',
      '[::1.2.3]',
      '[::01.2.3.4]',
      '[1.2.3.4]',
      '[v.a]',
      '[v1.]',
      '[::1]80',
      '[::1]a:80',
    ]) {
      expect(sound(text), text).to.equal(false)
    }
  })
})

describe('portOf', () => {
  it('is the number, 0 without digits, -1 for what is none', () => {
    const port = (text: string) => portOf(bytes(text), 0, text.length)
    expect(['80', '0080', '', '65536', '8o', '99999999999999999999'].map(port)).to.eql([80, 80, 0, -1, -1, -1])
  })
})
