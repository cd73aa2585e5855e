import { expect } from 'chai'
import type { ProxyError } from '../../src/errors.ts'
import type { Connection, Lessee } from '../../src/upstream/connection.ts'
import type { Pool } from '../../src/upstream/pool.ts'
import { FakeConnector, FakeEngine } from '../fake-protocol.ts'

describe('Pool', () => {
  let engine: FakeEngine
  let connector: FakeConnector
  let pool: Pool
  const said: string[] = []

  class Client implements Lessee {
    readonly name: string
    connection: Connection | undefined

    constructor(name: string) {
      this.name = name
    }

    connected(connection: Connection): void {
      said.push(`${this.name} connected`)
      this.connection = connection
    }

    connectFailed(error: ProxyError): void {
      said.push(`${this.name} ${error.code}`)
    }

    giveBack(): void {
      pool.giveBack(this.connection!)
    }
  }

  const open = (options: object = {}, addresses = 1): void => {
    engine = new FakeEngine({ endpoints: ['127.0.0.1:3001'], pool: options })
    const endpoint = engine.upstream.endpoints[0]!
    endpoint.addresses = Array.from({ length: addresses }, (_, i) => ({ host: `127.0.0.${i + 1}`, port: 3001 }))
    connector = new FakeConnector()
    pool = endpoint.pool(connector)
    said.length = 0
  }

  const lease = (name: string, from = pool): Client => {
    const client = new Client(name)
    from.lease(client, engine.clock.nowMs)
    return client
  }

  /** Leases, opens and gives back as many connections as there are names; the last one is the newest. */
  const idle = (...names: string[]): void => {
    const clients = names.map((name) => lease(name))
    for (const connection of connector.connections) if (connection.state === 'connecting') connection.open()
    for (const client of clients) client.giveBack()
    said.length = 0
  }

  const endpoint = () => pool.endpoint

  afterEach(() => engine.stop())

  it('lends an idle connection in the call that asks, and connects when there is none', () => {
    open()
    const first = lease('first')
    expect([said, pool.connecting]).to.deep.equal([[], 1])
    connector.last.open()
    expect(said).to.deep.equal(['first connected'])
    first.giveBack()
    lease('second')
    expect(said).to.deep.equal(['first connected', 'second connected'])
    expect(connector.last.leases).to.equal(2)
  })

  it('never lends one connection to two callers of one turn', () => {
    open()
    idle('a')
    const [first, second] = [lease('first'), lease('second')]
    expect(said).to.deep.equal(['first connected'])
    connector.last.open()
    expect(first.connection).to.not.equal(second.connection)
  })

  it('lends the newest idle connection first', () => {
    open()
    idle('a', 'b', 'c')
    expect(lease('next').connection).to.equal(connector.connections[2])
    expect(lease('next').connection).to.equal(connector.connections[1])
  })

  it('gives the first connection that stands to whoever has waited longest', () => {
    open()
    lease('first')
    lease('second')
    connector.connections[1]!.open()
    expect(said).to.deep.equal(['first connected'])
  })

  it('gives a connection that comes back to whoever waits, and keeps the connect for the next', () => {
    open()
    const first = lease('first')
    connector.last.open()
    lease('second')
    first.giveBack()
    expect(said).to.deep.equal(['first connected', 'second connected'])
    connector.last.open()
    expect(pool.idle).to.equal(1)
  })

  it('lets a connect go on when the one that asked has left, for the next one', () => {
    open()
    const gone = lease('gone')
    pool.forget(gone)
    lease('next')
    expect(connector.connections, 'one connect serves both').to.have.length(1)
    connector.last.open()
    expect(said).to.deep.equal(['next connected'])
  })

  it('tells one lessee of one failed connect, and makes no other on its behalf', () => {
    open()
    lease('first')
    lease('second')
    connector.connections[0]!.refuse()
    expect(said).to.deep.equal(['first connectFailed'])
    expect(connector.connections).to.have.length(2)
    connector.connections[1]!.refuse()
    expect(said).to.deep.equal(['first connectFailed', 'second connectFailed'])
    expect([connector.connections.length, pool.connecting, pool.size, endpoint().connections]).to.deep.equal([
      2, 0, 0, 0,
    ])
  })

  it('tells nobody of a failed connect that nobody waits for', () => {
    open()
    pool.forget(lease('gone'))
    connector.last.refuse()
    expect(said).to.deep.equal([])
    expect(connector.connections).to.have.length(1)
  })

  it('tries the other addresses before it says so, beginning with the one that answered last', () => {
    open({}, 3)
    lease('first')
    connector.last.refuse(true)
    connector.last.open()
    expect(said).to.deep.equal(['first connected'])
    lease('second')
    expect(connector.last.address).to.deep.equal({ host: '127.0.0.2', port: 3001 })
    connector.last.refuse(true)
    connector.last.refuse(true)
    connector.last.refuse(true)
    expect(connector.connections.map(({ address }) => 'host' in address && address.host.at(-1))).to.deep.equal([
      '1',
      '2',
      '2',
      '3',
      '1',
    ])
    expect(said.at(-1)).to.equal('second connectFailed')
    expect(endpoint().connections).to.equal(1)
  })

  it('does not try elsewhere what failed everywhere, such as TLS', () => {
    open({}, 3)
    lease('first')
    connector.last.refuse(false)
    expect(said).to.deep.equal(['first connectFailed'])
  })

  it('keeps `maxIdle` idle connections and closes the oldest beyond that', () => {
    open({ maxIdle: 2 })
    idle('a', 'b', 'c', 'd', 'e')
    expect(connector.connections.map(({ closeCalls }) => closeCalls)).to.deep.equal([1, 1, 1, 0, 0])
    expect(pool.idle).to.equal(2)
  })

  it('never lends a connection that is being closed, though its socket still lives', () => {
    open()
    idle('a')
    connector.last.close()
    lease('next')
    expect(said).to.deep.equal([])
    expect([pool.idle, pool.connecting]).to.deep.equal([0, 1])
    connector.connections[0]!.gone()
    expect(pool.size).to.equal(1)
  })

  it('never lends a connection beyond its idle time, though its timer has not come up', () => {
    open()
    idle('a')
    connector.last.idleUntil = 4_000
    engine.clock.nowMs = 4_000
    lease('next')
    expect([said, connector.connections[0]!.closeCalls]).to.deep.equal([[], 1])
  })

  it('closes a connection that comes back and can carry no more', () => {
    open()
    const client = lease('a')
    connector.last.open()
    connector.last.concurrency = 0
    client.giveBack()
    expect(connector.last.closeCalls).to.equal(1)
    expect(pool.idle).to.equal(0)
  })

  it('forgets a connection that is gone, wherever it stood', () => {
    open()
    idle('a', 'b', 'c')
    for (const at of [1, 0, 2]) connector.connections[at]!.gone()
    connector.connections[2]!.gone()
    expect([pool.idle, pool.size, endpoint().connections]).to.deep.equal([0, 0, 0])
    lease('leased')
    connector.last.open()
    connector.last.gone()
    lease('connecting')
    connector.last.gone()
    expect(pool.connecting, 'another connect for whoever still waits').to.equal(1)
    expect(pool.size).to.equal(1)
  })

  it('makes no more than `maxConnections`, and connects for those who wait when one is gone', () => {
    open({ maxConnections: 2 })
    lease('a')
    lease('b')
    lease('c')
    expect(connector.connections).to.have.length(2)
    connector.connections[0]!.open()
    connector.connections[0]!.gone()
    expect(connector.connections).to.have.length(3)
    connector.connections[1]!.open()
    connector.last.open()
    expect(said).to.deep.equal(['a connected', 'b connected', 'c connected'])
  })

  it('lets nobody wait at the bound for longer than a connect may take', () => {
    open({ maxConnections: 1 })
    lease('a')
    connector.last.open()
    engine.pass(1_000)
    lease('b')
    engine.pass(1_000)
    lease('c')
    engine.pass(3_990)
    expect(said).to.deep.equal(['a connected'])
    engine.pass(1_000)
    expect(said).to.deep.equal(['a connected', 'b connectTimeout'])
    engine.pass(2_000)
    expect(said).to.deep.equal(['a connected', 'b connectTimeout', 'c connectTimeout'])
    expect(engine.runtime.fine.count + engine.runtime.coarse.count).to.equal(0)
  })

  it('keeps no time for those for whom connects are under way, or who have left', () => {
    open({ maxConnections: 2 })
    lease('a')
    lease('b')
    const timers = () => engine.runtime.fine.count + engine.runtime.coarse.count
    expect(timers()).to.equal(0)
    const third = lease('c')
    expect(timers()).to.equal(1)
    pool.forget(third)
    expect(timers()).to.equal(0)
  })

  it('closes no connection for somebody who waits no more', () => {
    open({ maxConnections: 1 })
    const first = lease('first')
    connector.last.open()
    const gone = lease('gone')
    expect(endpoint().cells.starved.total).to.equal(1)
    pool.forget(gone)
    expect(endpoint().cells.starved.total).to.equal(0)
    first.giveBack()
    expect([connector.last.closeCalls, pool.idle]).to.deep.equal([0, 1])
  })

  it('passes the failure of the one connect at the bound to one lessee, and connects for the next', () => {
    open({ maxConnections: 1 })
    lease('a')
    lease('b')
    connector.last.refuse()
    expect(said).to.deep.equal(['a connectFailed'])
    expect(connector.connections).to.have.length(2)
  })

  describe('beside the pool of another protocol, at the bound of their endpoint', () => {
    const other = (): { connector: FakeConnector; pool: Pool } => {
      const its = new FakeConnector()
      return { connector: its, pool: endpoint().pool(its) }
    }

    it('closes its idle connection for the other one', () => {
      open({ maxConnections: 1 })
      idle('a')
      const neighbour = other()
      lease('next', neighbour.pool)
      expect(connector.last.closeCalls).to.equal(1)
      expect(neighbour.connector.connections).to.have.length(0)
      connector.last.gone()
      neighbour.connector.last.open()
      expect(said).to.deep.equal(['next connected'])
    })

    it('closes a connection that turns idle while the other one waits', () => {
      open({ maxConnections: 1 })
      pool.forget(lease('gone'))
      const neighbour = other()
      lease('next', neighbour.pool)
      connector.last.open()
      expect(connector.last.closeCalls, 'nobody else would close it before its idle time').to.equal(1)
      connector.last.gone()
      neighbour.connector.last.open()
      expect(said).to.deep.equal(['next connected'])
    })
  })

  it('closes what is idle at a drain, and everything at the end', () => {
    open()
    idle('a', 'b')
    lease('busy')
    pool.close('idle')
    expect(connector.connections.map(({ closeCalls }) => closeCalls)).to.deep.equal([1, 0])
    pool.close('all')
    expect(connector.connections[1]!.closeCalls).to.equal(1)
  })
})
