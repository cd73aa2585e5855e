import type { Connector } from '@sluice/core'
import { expect } from 'chai'
import { ConnectionScene } from './connection-scene.ts'
import { describeMultiplexed, greeting, type MultiplexedPeer } from './multiplexed-contract.ts'
import { eventually } from './raw/eventually.ts'
import { RawServer } from './raw/raw-server.ts'

/** A connection without an upstream behind it: a port on which nobody listens. */
async function deadPort(): Promise<number> {
  const server = await RawServer.start()
  await server.close()
  return server.port
}

/**
 * Registers the contract as a suite: what every protocol's connections promise to the pool that keeps their book. `peer`:
 * of connections that carry many exchanges at once.
 */
export function describeConnection(name: string, connector: Connector, peer?: MultiplexedPeer): void {
  describe(`${name} keeps the contract of a connection`, () => {
    let scene: ConnectionScene

    beforeEach(async () => {
      scene = await ConnectionScene.start(connector, peer === undefined ? undefined : greeting(peer, 1))
    })

    afterEach(() => scene.end())

    it('tells its pool once when it stands, and is leased', async () => {
      const { pool, endpoint } = scene.open()
      const connection = await scene.connected(scene.lease(pool))
      expect([connection.state, connection.carrying, connection.leases]).to.deep.equal(['leased', 1, 1])
      expect([pool.connecting, pool.size, endpoint.connections]).to.deep.equal([0, 1, 1])
      await eventually(() => scene.server.accepted === 1)
    })

    it('fails with `connectFailed`, with nothing sent, when it is refused', async () => {
      const { pool, endpoint } = scene.open({}, await deadPort())
      const client = scene.lease(pool)
      await eventually(() => client.error)
      expect([client.error!.code, client.error!.progress]).to.deep.equal(['connectFailed', 'nothingSent'])
      expect([pool.size, endpoint.connections]).to.deep.equal([0, 0])
    })

    it('lets its pool try the next address when it is refused', async () => {
      const { pool, endpoint } = scene.open()
      endpoint.addresses = [{ host: '127.0.0.1', port: await deadPort() }, endpoint.config.address]
      const connection = await scene.connected(scene.lease(pool))
      expect(connection.address).to.deep.equal(endpoint.config.address)
      expect(endpoint.health.lastFailure).to.equal(undefined)
    })

    it('fails when it is closed while it is made', async () => {
      const { pool, endpoint } = scene.open()
      const client = scene.lease(pool)
      pool.close('all')
      await eventually(() => client.error)
      expect(client.error!.code).to.equal('connectFailed')
      expect(endpoint.connections).to.equal(0)
    })

    it('is gone from its pool when it is closed', async () => {
      const { pool, endpoint } = scene.open()
      const connection = await scene.connected(scene.lease(pool))
      connection.close()
      await eventually(() => connection.state === 'closed')
      expect([pool.size, pool.idle, endpoint.connections]).to.deep.equal([0, 0, 0])
    })

    it('does not tell its pool that it may be used again when it may not', async () => {
      const { pool } = scene.open()
      const connection = await scene.connected(scene.lease(pool))
      expect(connection.concurrency > 0).to.equal(connector.reusable)
      connection.close()
      expect(connection.concurrency).to.equal(0)
    })

    it('serves nobody and closes when it cannot be used again and whoever asked has left', async () => {
      if (connector.reusable) return
      const { pool } = scene.open()
      const client = scene.lease(pool)
      pool.forget(client)
      await eventually(() => scene.server.accepted === 1 && pool.size === 0)
      expect(client.connection).to.equal(undefined)
    })

    if (!connector.reusable) return

    it('waits idle for the next one, and is leased again', async () => {
      const { pool } = scene.open()
      const connection = await scene.connected(scene.lease(pool))
      pool.giveBack(connection)
      expect([connection.state, pool.idle]).to.deep.equal(['idle', 1])
      expect(scene.lease(pool).connection).to.equal(connection)
      expect([connection.leases, pool.idle]).to.deep.equal([2, 0])
    })

    for (const [what, act] of [
      ['its peer’s FIN', (peer: RawServer) => peer.connections[0]!.fin()],
      ['its peer’s RST', (peer: RawServer) => peer.connections[0]!.rst()],
      ['a byte of its peer', (peer: RawServer) => peer.connections[0]!.write('?')],
    ] as const) {
      // Of many protocols it is the beginning of something that may be said at any time.
      if (peer !== undefined && what === 'a byte of its peer') continue
      it(`leaves its pool upon ${what} while it is idle`, async () => {
        const { pool, endpoint } = scene.open()
        const connection = await scene.connected(scene.lease(pool))
        pool.giveBack(connection)
        await eventually(() => scene.server.accepted === 1)
        await act(scene.server)
        await eventually(() => connection.state === 'closed')
        expect([pool.idle, pool.size, endpoint.connections]).to.deep.equal([0, 0, 0])
      })
    }

    it('is never leased once it is being closed', async () => {
      const { pool } = scene.open()
      const connection = await scene.connected(scene.lease(pool))
      pool.giveBack(connection)
      connection.close()
      const next = scene.lease(pool)
      expect(next.connection, 'not the one that is being closed').to.equal(undefined)
      expect(await scene.connected(next)).to.not.equal(connection)
    })

    it('leaves its pool when its idle time is over, and not before', async () => {
      const { pool } = scene.open({ pool: { idleTimeout: '60ms' } })
      const connection = await scene.connected(scene.lease(pool))
      const returned = performance.now()
      pool.giveBack(connection)
      await eventually(() => connection.state === 'closed')
      expect(performance.now() - returned).to.be.at.least(60)
    })
  })
  if (peer !== undefined) describeMultiplexed(name, connector, peer)
}
