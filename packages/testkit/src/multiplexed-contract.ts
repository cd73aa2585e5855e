import type { Connector } from '@sluice/core'
import { expect } from 'chai'
import { ConnectionScene } from './connection-scene.ts'
import { eventually } from './raw/eventually.ts'
import type { RawConnection } from './raw/raw-connection.ts'
import type { RawScript } from './raw/raw-server.ts'

/** What the peer of a connection that carries many exchanges says, in the words of its protocol. */
export interface MultiplexedPeer {
  /** As it accepts a connection: it takes so many exchanges at once. */
  greet(peer: RawConnection, exchanges: number): void
  /** On a connection that stands: so many from now on. */
  allow(peer: RawConnection, exchanges: number): void
  /** No new exchange; those that run go on. */
  goAway(peer: RawConnection): void
}

/** How many exchanges the peer takes at first. */
const most = 3

/** The script of a peer that takes so many exchanges at first, and closes when it is told that no more will come. */
export function greeting(peer: MultiplexedPeer, exchanges: number): RawScript {
  return async (connection) => {
    peer.greet(connection, exchanges)
    await connection.ended
    await connection.fin()
  }
}

/** Registers the part of the contract that concerns connections which carry many exchanges at once. */
export function describeMultiplexed(name: string, connector: Connector, peer: MultiplexedPeer): void {
  describe(`${name} keeps the contract of a connection that carries many exchanges`, () => {
    let scene: ConnectionScene

    beforeEach(async () => {
      scene = await ConnectionScene.start(connector, greeting(peer, most))
    })

    afterEach(() => scene.end())

    /** A connection that carries all that it may. */
    const full = async (more: Parameters<ConnectionScene['open']>[0] = {}) => {
      const { pool } = scene.open(more)
      const clients = Array.from({ length: most }, () => scene.lease(pool))
      const connection = await scene.connected(clients[0]!)
      await eventually(() => pool.connecting === 0 && pool.lessees === 0)
      return { pool, connection, clients, remote: scene.server.connections[0]! }
    }

    it('carries as many as its peer takes, all who waited for it in one go, and no more', async () => {
      const { pool, connection } = await full()
      expect([connection.concurrency, connection.hasRoom, pool.size]).to.deep.equal([most, false, 1])
      const next = scene.lease(pool)
      expect(next.connection).to.equal(undefined)
      expect(await scene.connected(next)).to.not.equal(connection)
    })

    it('is given to whoever waits the moment that one comes back', async () => {
      const { pool, connection } = await full({ pool: { maxConnections: 1 } })
      const next = scene.lease(pool)
      pool.giveBack(connection)
      expect([next.connection, connection.carrying]).to.deep.equal([connection, most])
    })

    it('carries more when its peer takes more', async () => {
      const { pool, connection, remote } = await full({ pool: { maxConnections: 1 } })
      const next = scene.lease(pool)
      expect(next.connection).to.equal(undefined)
      peer.allow(remote, most + 1)
      expect(await scene.connected(next)).to.equal(connection)
    })

    it('ends what it carries when its peer takes less, and carries no more than that then', async () => {
      const { pool, connection, remote } = await full()
      peer.allow(remote, 1)
      await eventually(() => connection.concurrency === 1)
      for (let left = most; left > 1; left--) pool.giveBack(connection)
      expect([connection.carrying, connection.hasRoom]).to.deep.equal([1, false])
      pool.giveBack(connection)
      expect(scene.lease(pool).connection).to.equal(connection)
    })

    it('takes no new one after its peer has said so, and is closed once it carries nothing', async () => {
      const { pool, connection, remote } = await full()
      pool.giveBack(connection)
      peer.goAway(remote)
      await eventually(() => connection.concurrency === 0)
      expect(await scene.connected(scene.lease(pool))).to.not.equal(connection)
      pool.giveBack(connection)
      expect(connection.state).to.equal('leased')
      pool.giveBack(connection)
      await eventually(() => connection.state === 'closed')
      expect(pool.size).to.equal(1)
    })

    it('is closed when its peer takes no new one while it carries nothing', async () => {
      const { pool, connection, remote } = await full()
      for (let left = most; left > 0; left--) pool.giveBack(connection)
      expect([connection.state, pool.idle]).to.deep.equal(['idle', 1])
      peer.goAway(remote)
      await eventually(() => connection.state === 'closed')
      expect([pool.idle, pool.size]).to.deep.equal([0, 0])
    })

    it('is not closed by its idle time while it carries anything', async () => {
      const { pool, connection } = await full({ pool: { idleTimeout: '60ms' } })
      const other = await scene.connected(scene.lease(pool))
      for (let left = most; left > 1; left--) pool.giveBack(connection)
      pool.giveBack(other)
      await eventually(() => other.state === 'closed')
      expect([connection.state, connection.carrying]).to.deep.equal(['leased', 1])
    })

    it('is gone with all that it carries when it is broken off', async () => {
      const { pool, connection, remote } = await full()
      remote.rst()
      await eventually(() => connection.state === 'closed')
      expect([pool.size, pool.endpoint.connections]).to.deep.equal([0, 0])
      for (let left = most; left > 0; left--) pool.giveBack(connection)
      expect([pool.idle, connection.state]).to.deep.equal([0, 'closed'])
    })
  })
}
