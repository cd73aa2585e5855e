import { expect } from 'chai'
import { describe, it } from 'mocha'
import { ClientTable, tooMany, uncounted } from '../../src/state/client-table.ts'

describe('ClientTable', () => {
  it('counts each client up to its limit, and down again', () => {
    const table = new ClientTable(ClientTable.create(1, 64), 0)
    const first = table.enter('web', '192.0.2.1', 2)
    table.enter('web', '192.0.2.1', 2)
    expect(table.enter('web', '192.0.2.1', 2)).to.equal(tooMany)
    expect(table.enter('web', '192.0.2.2', 2)).to.be.at.least(0)
    table.leave(first)
    expect(table.enter('web', '192.0.2.1', 2)).to.be.at.least(0)
    expect(table.enter('web', '192.0.2.1', 2)).to.equal(tooMany)
  })

  it('counts for each group apart', () => {
    const table = new ClientTable(ClientTable.create(1, 64), 0)
    table.enter('web', '192.0.2.1', 1)
    expect(table.enter('pg', '192.0.2.1', 1)).to.be.at.least(0)
  })

  it('takes an IPv6 network of 64 bits for one client, and a mapped IPv4 address for what it maps', () => {
    const table = new ClientTable(ClientTable.create(1, 64), 0)
    table.enter('web', '2001:db8:0:1::1', 1)
    expect(table.enter('web', '2001:db8:0:1:ffff::2', 1)).to.equal(tooMany)
    expect(table.enter('web', '2001:db8:0:2::1', 1)).to.be.at.least(0)
    table.enter('web', '192.0.2.1', 1)
    expect(table.enter('web', '::ffff:192.0.2.1', 1)).to.equal(tooMany)
    expect(table.enter('web', '::c000:201', 1)).to.be.at.least(0)
  })

  it('lets newcomers in uncounted when it is full, and goes on limiting those it knows', () => {
    const table = new ClientTable(ClientTable.create(1, 8), 0)
    const entries = Array.from({ length: 8 }, (_, i) => table.enter('web', `192.0.2.${i}`, 1))
    expect(new Set(entries).size).to.equal(8)
    expect(table.enter('web', '192.0.2.8', 1)).to.equal(uncounted)
    expect(table.enter('web', '192.0.2.7', 1)).to.equal(tooMany)
    table.leave(entries[3]!)
    expect(table.enter('web', '192.0.2.8', 1)).to.equal(entries[3])
  })

  it('sums what all threads have, and forgets what a dead one had', () => {
    const words = ClientTable.create(2, 64)
    const [one, two] = [new ClientTable(words, 0), new ClientTable(words, 1)]
    one.enter('web', '192.0.2.1', 3)
    two.enter('web', '192.0.2.1', 3)
    two.enter('web', '192.0.2.1', 3)
    expect(one.enter('web', '192.0.2.1', 3)).to.equal(tooMany)
    one.forget(1)
    expect(one.enter('web', '192.0.2.1', 3)).to.be.at.least(0)
    expect(one.enter('web', '192.0.2.1', 3)).to.be.at.least(0)
    expect(one.enter('web', '192.0.2.1', 3)).to.equal(tooMany)
  })

  it('is free again when the thread that held its lock has died', () => {
    const words = ClientTable.create(2, 64)
    // What a thread leaves that is ended between taking the lock and giving it back.
    words[0] = 2
    const table = new ClientTable(words, 0)
    table.forget(0)
    expect(words[0]).to.equal(2)
    table.forget(1)
    expect(table.enter('web', '192.0.2.1', 1)).to.be.at.least(0)
  })
})
