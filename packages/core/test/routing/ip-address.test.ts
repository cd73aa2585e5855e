import { BlockList, isIP } from 'node:net'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import { isLoopback, parseIpAddress, parseNetwork } from '../../src/routing/ip-address.ts'

describe('parseIpAddress', () => {
  it('agrees with Node on what is an address', () => {
    const texts = [
      '1.2.3.4',
      '1.2.3',
      '1.2.3.4.5',
      '256.1.1.1',
      '01.2.3.4',
      '1.2.3.-4',
      '',
      '::',
      '::1',
      '1::',
      '1:2:3:4:5:6:7:8',
      '1:2:3:4:5:6:7',
      '1:2:3:4:5:6:7:8:9',
      '1::2::3',
      ':::',
      ':1',
      '1:',
      '::ffff:1.2.3.4',
      '::1.2.3.4',
      '1.2.3.4::',
      '1:2:3:4:5:6:1.2.3.4',
      '1:2:3:4:5:6:7:1.2.3.4',
      '12345::',
      'g::',
      'fe80::1%eth0',
      '1:2:3:4:5:6:7::',
      '::2:3:4:5:6:7:8',
      ' 1.2.3.4',
    ]
    for (const text of texts) expect(parseIpAddress(text) !== undefined, text).to.equal(isIP(text) !== 0)
  })

  it('reads an IPv4-mapped address as IPv4', () => {
    expect(parseIpAddress('::ffff:10.0.0.1')).to.deep.equal(parseIpAddress('10.0.0.1'))
  })
})

describe('parseNetwork', () => {
  it('agrees with BlockList on random addresses and prefixes', () => {
    let seed = 11
    const random = (below: number) => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) % below
    for (let i = 0; i < 3_000; i++) {
      const six = i % 2 === 0
      const make = () =>
        six
          ? `2001:db8:${random(4).toString(16)}::${random(8).toString(16)}`
          : `10.${random(3)}.${random(3)}.${random(256)}`
      const [net, address, prefix] = [make(), make(), random(six ? 129 : 33)]
      const list = new BlockList()
      list.addSubnet(net, prefix, six ? 'ipv6' : 'ipv4')
      const network = parseNetwork(`${net}/${prefix}`)
      const ip = parseIpAddress(address)!
      if (typeof network === 'string') throw new Error(network)
      expect(ip.value >> network.hostBits === network.value, `${address} in ${net}/${prefix}`).to.equal(
        list.check(address, six ? 'ipv6' : 'ipv4'),
      )
    }
  })

  it('says what is wrong with other texts', () => {
    for (const text of [
      '10.0.0.0/33',
      '10.0.0.0/',
      '10.0.0.0/-1',
      '::/129',
      'example.com',
      '10.0.0/8',
      '::ffff:10.0.0.0/8',
    ]) {
      expect(parseNetwork(text), text).to.be.a('string')
    }
    expect(parseNetwork('::ffff:10.0.0.0/104')).to.deep.equal(parseNetwork('10.0.0.0/8'))
  })
})

describe('isLoopback', () => {
  it('is true of what only this machine reaches', () => {
    for (const host of ['127.0.0.1', '127.255.0.9', '::1', '::ffff:127.0.0.1', 'localhost', 'LOCALHOST']) {
      expect(isLoopback(host), host).to.equal(true)
    }
    for (const host of ['', '0.0.0.0', '::', '128.0.0.1', '10.0.0.1', '::2', 'localhost.example', '127.0.0']) {
      expect(isLoopback(host), host).to.equal(false)
    }
  })
})
