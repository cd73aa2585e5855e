import { expect } from 'chai'
import { parseConfigObject } from '../../src/config/parse.ts'
import type { ProxyError } from '../../src/errors.ts'
import { Permit } from '../../src/gate/gate.ts'
import type { LocalStore } from '../../src/state/local-store.ts'
import type { Lessee } from '../../src/upstream/connection.ts'
import type { Pool } from '../../src/upstream/pool.ts'
import { type FakeConnection, FakeConnector, FakeEngine } from '../fake-protocol.ts'

/** What tests of one pool do with connections that carry many exchanges. */
describe('Pool of connections that carry many exchanges', () => {
  let engine: FakeEngine
  let connector: FakeConnector
  let pool: Pool
  const said: string[] = []

  class Client implements Lessee {
    readonly name: string
    connection: FakeConnection | undefined
    whenTold: () => void = () => {}

    constructor(name: string) {
      this.name = name
    }

    connected(connection: FakeConnection): void {
      said.push(this.name)
      this.connection = connection
      this.whenTold()
    }

    connectFailed(error: ProxyError): void {
      said.push(`${this.name} ${error.code}`)
      this.whenTold()
    }

    giveBack(): void {
      const { connection } = this
      this.connection = undefined
      pool.giveBack(connection!)
    }
  }

  const open = (most: number, options: object = {}, expected: number | 'unknown' = most): void => {
    engine = new FakeEngine({ endpoints: ['127.0.0.1:3001'], pool: options })
    connector = new FakeConnector(true, most)
    connector.expected = expected === 'unknown' ? undefined : expected
    pool = engine.upstream.endpoints[0]!.pool(connector)
    said.length = 0
  }

  const lease = (name: string): Client => {
    const client = new Client(name)
    pool.lease(client, engine.clock.nowMs)
    return client
  }

  const leases = (count: number, prefix = ''): Client[] =>
    Array.from({ length: count }, (_, i) => lease(`${prefix}${i + 1}`))

  const connections = (): number => pool.endpoint.connections
  const carried = (): number[] => connector.connections.map(({ carrying }) => carrying)
  const timers = () => engine.runtime.fine.count + engine.runtime.coarse.count

  afterEach(() => {
    expect(engine.faults).to.deep.equal([])
    engine.stop()
  })

  describe('lending', () => {
    it('lends one to as many callers of one turn as it may carry, and makes another one for the next', () => {
      open(3)
      lease('first')
      connector.last.open()
      leases(3)
      expect(said).to.deep.equal(['first', '1', '2'])
      expect([carried(), pool.connecting]).to.deep.equal([[3, 0], 1])
      connector.last.open()
      expect([said.at(-1), carried()]).to.deep.equal(['3', [3, 1]])
    })

    it('fills the connection used last before it takes an idle one, and an idle one before it makes another', () => {
      open(2)
      const clients = leases(5)
      for (const connection of connector.connections) connection.open()
      expect(carried()).to.deep.equal([2, 2, 1])
      clients[0]!.giveBack()
      clients[1]!.giveBack()
      clients[2]!.giveBack()
      expect([carried(), pool.idle]).to.deep.equal([[0, 1, 1], 1])
      leases(4, 'next ')
      expect([carried(), connector.connections.length]).to.deep.equal([[2, 2, 2], 3])
      expect(said.slice(5)).to.deep.equal(['next 1', 'next 2', 'next 3', 'next 4'])
    })

    it('keeps none among the idle ones that still carries something', () => {
      open(2)
      const [first, second] = leases(2)
      connector.last.open()
      first!.giveBack()
      expect([pool.idle, pool.closeOldestIdle(), connector.last.state]).to.deep.equal([0, false, 'leased'])
      second!.giveBack()
      expect([pool.idle, connector.last.idledCalls, connector.last.state]).to.deep.equal([1, 1, 'idle'])
      expect(lease('again').connection).to.equal(connector.last)
      expect([pool.idle, connector.last.leases]).to.deep.equal([0, 3])
    })

    it('gives what comes back to whoever has waited longest', () => {
      open(2, { maxConnections: 1 })
      const [first, second] = leases(5)
      connector.last.open()
      expect(said).to.deep.equal(['1', '2'])
      second!.giveBack()
      first!.giveBack()
      expect(said).to.deep.equal(['1', '2', '3', '4'])
    })

    it('lets nobody overtake who leases while those before him are being served', () => {
      open(9)
      const [first] = leases(3)
      first!.whenTold = () => {
        lease('late')
        first!.whenTold = () => {}
      }
      connector.last.open()
      expect(said).to.deep.equal(['1', '2', '3', 'late'])
      expect([connector.connections.length, carried()]).to.deep.equal([1, [4]])
    })

    it('serves all who wait, though each gives back or leaves the moment he is served', () => {
      open(2, { maxConnections: 1 })
      for (const client of leases(50)) client.whenTold = () => client.giveBack()
      connector.last.open()
      expect(said).to.have.length(50)
      expect([carried(), pool.idle, pool.lessees]).to.deep.equal([[0], 1, 0])
    })

    it('serves nobody who has left in the meantime', () => {
      open(3)
      const [first, second] = leases(3)
      first!.whenTold = () => pool.forget(second!)
      connector.last.open()
      expect([said, carried()]).to.deep.equal([['1', '3'], [2]])
    })

    it('does not lend one any more that is closed as it serves the first', () => {
      open(3)
      const [first] = leases(3)
      first!.whenTold = () => connector.connections[0]!.close()
      connector.last.open()
      expect([said, carried()]).to.deep.equal([['1'], [1]])
      connector.connections[0]!.gone()
      connector.last.open()
      expect([said, carried()]).to.deep.equal([
        ['1', '2', '3'],
        [1, 2],
      ])
    })

    it('serves the others when a bug of ours is met with one', () => {
      open(3)
      const [first] = leases(3)
      first!.whenTold = () => {
        throw new Error('ours')
      }
      connector.last.open()
      expect(said).to.deep.equal(['1', '2', '3'])
      expect(engine.faults.splice(0)).to.have.length(1)
    })
  })

  describe('connecting', () => {
    it('makes as many as will carry all who wait, and not one for each', () => {
      open(100)
      leases(500)
      expect([connector.connections.length, pool.connecting, pool.starving]).to.deep.equal([5, 5, false])
      lease('one more')
      expect(connector.connections).to.have.length(6)
      for (const connection of connector.connections) connection.open()
      expect(carried()).to.deep.equal([100, 100, 100, 100, 100, 1])
      expect(said).to.deep.equal([...Array.from({ length: 500 }, (_, i) => String(i + 1)), 'one more'])
    })

    it('makes more as soon as one carries less than was expected, and expects no more of the next ones', () => {
      open(2, {}, 100)
      leases(10)
      expect(connector.connections).to.have.length(1)
      connector.last.open()
      expect([said.length, connector.connections.length]).to.deep.equal([2, 5])
      for (const connection of connector.connections.slice(1)) connection.open()
      expect(said).to.have.length(10)
      leases(4)
      expect(connector.connections).to.have.length(7)
    })

    it('makes one and waits for what it turns out to be, where that is not known before', () => {
      open(100, {}, 'unknown')
      leases(250)
      expect(connector.connections).to.have.length(1)
      connector.last.open()
      expect([said.length, connector.connections.length]).to.deep.equal([100, 3])
    })

    it('makes one for each, once the first has turned out to carry one', () => {
      open(1, {}, 'unknown')
      leases(5)
      expect(connector.connections).to.have.length(1)
      connector.last.open()
      expect([said, connector.connections.length]).to.deep.equal([['1'], 5])
      leases(1)
      expect(connector.connections, 'it is remembered').to.have.length(6)
    })

    it('keeps another one in place of one that turns out to speak another protocol', () => {
      open(1, {}, 'unknown')
      leases(3)
      const provisional = connector.last
      const as = provisional.openAs(10)
      expect([as.state, as.carrying, provisional.state, provisional.carrying]).to.deep.equal(['leased', 3, 'closed', 0])
      expect([pool.size, connections(), pool.connecting]).to.deep.equal([1, 1, 0])
      provisional.gone()
      expect([pool.size, connections()]).to.deep.equal([1, 1])
      pool.close('all')
      expect([provisional.closeCalls, as.closeCalls]).to.deep.equal([0, 1])
      as.gone()
      expect([pool.size, connections()]).to.deep.equal([0, 0])
    })

    it('stays within `maxConnections`, and serves who waits for room there from what comes back', () => {
      open(2, { maxConnections: 2 })
      const clients = leases(6)
      expect(connector.connections).to.have.length(2)
      for (const connection of connector.connections) connection.open()
      expect(said).to.have.length(4)
      clients[3]!.giveBack()
      clients[0]!.giveBack()
      expect([said.slice(4), carried(), timers()]).to.deep.equal([['5', '6'], [2, 2], 0])
    })

    it('lets nobody wait at the bound for longer than a connect may take', () => {
      open(2, { maxConnections: 1 })
      leases(2)
      connector.last.open()
      leases(2, 'late ')
      engine.pass(4_990)
      expect(said).to.deep.equal(['1', '2'])
      engine.pass(1_000)
      expect(said).to.deep.equal(['1', '2', 'late 1 connectTimeout', 'late 2 connectTimeout'])
      expect(timers()).to.equal(0)
    })
  })

  describe('a connect that fails', () => {
    it('is heard of by those whom it would have carried, the oldest first, and by nobody else', () => {
      open(3)
      leases(5)
      connector.connections[0]!.refuse()
      expect(said, 'the other one carries three').to.deep.equal(['1 connectFailed', '2 connectFailed'])
      expect(connector.connections).to.have.length(2)
      connector.connections[1]!.open()
      expect(said.slice(2)).to.deep.equal(['3', '4', '5'])
    })

    it('leaves nobody waiting without a connect', () => {
      open(3, { maxConnections: 1 })
      leases(5)
      connector.connections[0]!.refuse()
      expect(said).to.deep.equal(['1 connectFailed', '2 connectFailed', '3 connectFailed'])
      expect([connector.connections.length, pool.connecting]).to.deep.equal([2, 1])
      connector.last.open()
      expect(said.slice(3)).to.deep.equal(['4', '5'])
    })

    it('is heard of by all who wait, where nobody knows how many it would have carried', () => {
      open(3, {}, 'unknown')
      leases(5)
      connector.last.refuse()
      expect(said).to.deep.equal([1, 2, 3, 4, 5].map((name) => `${name} connectFailed`))
      expect([pool.size, pool.lessees, connections()]).to.deep.equal([0, 0, 0])
    })

    it('tries the next address for all who wait', () => {
      open(3, {}, 'unknown')
      pool.endpoint.addresses = [1, 2].map((host) => ({ host: `127.0.0.${host}`, port: 3001 }))
      leases(5)
      connector.last.refuse(true)
      expect([said, connector.connections.length]).to.deep.equal([[], 2])
      connector.last.open()
      expect(said).to.deep.equal(['1', '2', '3'])
    })

    it('connects anew for who asks again the moment he hears of it', () => {
      open(2)
      const [first, second] = leases(2)
      first!.whenTold = () => {
        first!.whenTold = () => {}
        pool.lease(first!, engine.clock.nowMs)
      }
      connector.last.refuse()
      expect(said).to.deep.equal(['1 connectFailed', '2 connectFailed'])
      expect([connector.connections.length, pool.lessees]).to.deep.equal([2, 1])
      connector.last.open()
      expect([said.at(-1), second!.connection]).to.deep.equal(['1', undefined])
    })

    it('is not heard of by who leaves as another one hears of it', () => {
      open(2)
      const [first, second] = leases(2)
      first!.whenTold = () => pool.forget(second!)
      connector.last.refuse()
      expect(said).to.deep.equal(['1 connectFailed'])
    })

    it('is heard of by the others when a bug of ours is met with one', () => {
      open(2)
      const [first] = leases(2)
      first!.whenTold = () => {
        throw new Error('ours')
      }
      connector.last.refuse()
      expect(said).to.deep.equal(['1 connectFailed', '2 connectFailed'])
      expect(engine.faults.splice(0)).to.have.length(1)
    })

    it('is what a new connection amounts to that takes no exchange at all', () => {
      open(0, {}, 2)
      leases(3)
      connector.connections[0]!.open()
      expect([said, connector.connections[0]!.closeCalls]).to.deep.equal([['1 connectFailed'], 1])
      connector.connections[1]!.open()
      expect(said).to.deep.equal(['1 connectFailed', '2 connectFailed', '3 connectFailed'])
      for (const connection of connector.connections) connection.gone()
      expect([connector.connections.length, connections()]).to.deep.equal([2, 0])
    })
  })

  describe('a peer that changes its mind', () => {
    it('gets no new exchange after its GOAWAY, ends what it carries, and is closed then', () => {
      open(9)
      const clients = leases(2)
      connector.last.open()
      connector.last.allow(0)
      expect(connector.last.closeCalls).to.equal(0)
      const next = lease('next')
      expect([next.connection, pool.connecting]).to.deep.equal([undefined, 1])
      clients[0]!.giveBack()
      expect(connector.connections[0]!.closeCalls).to.equal(0)
      clients[1]!.giveBack()
      expect([connector.connections[0]!.closeCalls, pool.idle]).to.deep.equal([1, 0])
      connector.last.open()
      expect(next.connection).to.equal(connector.last)
    })

    it('is closed at once after its GOAWAY when it carries nothing', () => {
      open(9)
      const [first] = leases(1)
      connector.last.open()
      first!.giveBack()
      connector.last.allow(0)
      expect([connector.last.closeCalls, pool.idle]).to.deep.equal([1, 0])
    })

    it('carries on with more than it allows now, and gets the next one once it carries less', () => {
      open(4, { maxConnections: 1 })
      const clients = leases(4)
      connector.last.open()
      connector.last.allow(2)
      lease('a')
      lease('b')
      clients[0]!.giveBack()
      clients[1]!.giveBack()
      expect([said.length, carried()]).to.deep.equal([4, [2]])
      clients[2]!.giveBack()
      expect([said.slice(4), carried()]).to.deep.equal([['a'], [2]])
    })

    it('serves those who wait as soon as it allows more', () => {
      open(1, { maxConnections: 1 }, 5)
      leases(4)
      connector.last.open()
      expect(said).to.deep.equal(['1'])
      connector.last.allow(3)
      expect([said, carried()]).to.deep.equal([['1', '2', '3'], [3]])
    })

    it('has another one made at once for who waits, when a GOAWAY comes as the first is served', () => {
      open(5)
      const [first] = leases(3)
      first!.whenTold = () => connector.connections[0]!.allow(0)
      connector.last.open()
      expect([said, pool.connecting]).to.deep.equal([['1'], 1])
      connector.last.open()
      expect(said).to.deep.equal(['1', '2', '3'])
    })

    it('is not lent beyond what it says, though it has not told its pool', () => {
      open(5)
      leases(1)
      connector.last.open()
      connector.last.concurrency = 1
      expect(lease('next').connection).to.equal(undefined)
    })

    it('says nothing before it stands, nor after it is closed', () => {
      open(5)
      const [first] = leases(1)
      connector.last.allow(0)
      expect([connector.last.state, connector.last.closeCalls]).to.deep.equal(['connecting', 0])
      connector.last.concurrency = 5
      connector.last.open()
      connector.last.gone()
      connector.last.allow(7)
      first!.giveBack()
      expect([pool.idle, connector.last.closeCalls]).to.deep.equal([0, 0])
    })
  })

  describe('age', () => {
    const hour = 3_600_000

    it('lends no exchange to one that is too old, and closes it when it carries nothing', () => {
      open(9, { maxAge: '1h' })
      const [first] = leases(1)
      connector.last.open()
      engine.pass(hour * 1.11)
      const next = lease('next')
      expect([next.connection, connector.connections.length]).to.deep.equal([undefined, 2])
      first!.giveBack()
      expect(connector.connections[0]!.closeCalls).to.equal(1)
    })

    it('lends it until then', () => {
      open(9, { maxAge: '1h' })
      leases(1)
      connector.last.open()
      engine.pass(hour * 0.89)
      expect(lease('next').connection).to.equal(connector.last)
    })

    it('closes one that fell idle while it was young', () => {
      open(9, { maxAge: '1h' })
      const [first] = leases(1)
      connector.last.open()
      first!.giveBack()
      engine.pass(hour * 1.11)
      expect(lease('next').connection).to.equal(undefined)
      expect([connector.connections[0]!.closeCalls, connector.connections.length]).to.deep.equal([1, 2])
    })

    it('does not end all at once that were begun together', () => {
      open(2, { maxAge: '1h' })
      leases(200)
      for (const connection of connector.connections) connection.open()
      const ages = connector.connections.map(({ freshUntil }) => freshUntil)
      expect(Math.min(...ages)).to.be.within(hour * 0.9, hour * 0.97)
      expect(Math.max(...ages)).to.be.within(hour * 1.03, hour * 1.1)
    })

    it('uses an old one on where no other may be made in its place', () => {
      open(9, { maxAge: '1h', maxConnections: 1 })
      const [first] = leases(1)
      connector.last.open()
      engine.pass(hour * 1.2)
      const next = lease('next')
      expect(next.connection).to.equal(connector.last)
      first!.giveBack()
      next.giveBack()
      expect(connector.last.closeCalls).to.equal(1)
    })

    it('is no matter of connections that carry one at a time', () => {
      open(1, { maxAge: '1h' })
      const [first] = leases(1)
      connector.last.open()
      engine.pass(hour * 2)
      first!.giveBack()
      expect(lease('next').connection).to.equal(connector.last)
    })
  })

  describe('idleness', () => {
    it('keeps at most `maxIdle` that carry nothing, and closes none that carries', () => {
      open(2, { maxIdle: 1 })
      const clients = leases(6)
      for (const connection of connector.connections) connection.open()
      for (const client of clients.slice(0, 5)) client.giveBack()
      expect(connector.connections.map(({ closeCalls }) => closeCalls)).to.deep.equal([1, 0, 0])
      expect([pool.idle, carried()]).to.deep.equal([1, [0, 0, 1]])
    })

    it('ends only what is idle at a drain; what carries is closed when its endpoint is given up', () => {
      open(2)
      const clients = leases(4)
      for (const connection of connector.connections) connection.open()
      clients[0]!.giveBack()
      clients[2]!.giveBack()
      clients[3]!.giveBack()
      pool.endpoint.retire()
      expect(connector.connections.map(({ closeCalls }) => closeCalls)).to.deep.equal([0, 1])
      clients[1]!.giveBack()
      expect(connector.connections.map(({ closeCalls }) => closeCalls)).to.deep.equal([1, 1])
    })

    it('forgets one that is gone with all that it carries, and takes nothing back from it', () => {
      open(3, { maxConnections: 1 })
      const clients = leases(3)
      connector.last.open()
      lease('next')
      connector.last.gone()
      expect([connector.connections.length, pool.size, connections()]).to.deep.equal([2, 1, 1])
      for (const client of clients) client.giveBack()
      expect(said).to.deep.equal(['1', '2', '3'])
      connector.last.open()
      expect([said.at(-1), carried()]).to.deep.equal(['next', [0, 1]])
    })
  })

  describe('a new configuration', () => {
    it('keeps connections with what they carry, and what they have said', () => {
      open(3, { maxConnections: 1 })
      const { upstream } = engine
      leases(5)
      connector.last.open()
      expect([said.length, upstream.endpoints[0]!.cells.concurrency]).to.deep.equal([3, 3])
      const { config } = parseConfigObject({
        listeners: { web: { bind: '127.0.0.1:0', protocol: 'http', upstream: 'u' } },
        upstreams: { u: { endpoints: ['127.0.0.1:3001'], pool: { maxConnections: 2, maxStreams: 50 } } },
      })
      upstream.prepare(config!.upstreams[0]!, () => undefined).commit()
      ;(engine.runtime.store as LocalStore).publish(config!, 1)
      expect(upstream.endpoints[0]!.pool(connector)).to.equal(pool)
      expect([carried(), upstream.endpoints[0]!.cells.concurrency]).to.deep.equal([[3, 0], 3])
      connector.last.open()
      expect([said.length, carried()]).to.deep.equal([5, [3, 2]])
    })
  })

  describe('the room of its endpoint', () => {
    it('grows and shrinks with what connections say, and who waits at the gate is let through', async () => {
      open(3, { maxConnections: 2 }, 'unknown')
      const { upstream } = engine
      const permits = Array.from({ length: 9 }, () => new Permit())
      const take = (): number => permits.filter((permit) => permit.held || upstream.gate.tryAcquire(permit)).length
      expect(take()).to.equal(2)
      lease('first')
      connector.last.open()
      expect(take()).to.equal(6)
      connector.last.allow(4)
      expect(take()).to.equal(8)
      connector.last.allow(1)
      expect(take()).to.equal(8)
      for (const permit of permits.slice(0, 7)) permit.release()
      permits.splice(0, 7)
      expect(take()).to.equal(2)
    })

    it('is that of one for one where some connections carry no more, whatever others say', () => {
      open(1)
      const [endpoint] = engine.upstream.endpoints
      lease('first')
      connector.last.open()
      endpoint!.learnt(7)
      expect(endpoint!.cells.concurrency).to.equal(1)
    })
  })
})
