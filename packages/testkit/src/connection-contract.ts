import {
  type Connection,
  type Connector,
  type Endpoint,
  type Lessee,
  type Pool,
  type ProxyError,
  Runtime,
  type Upstream,
} from '@sluice/core'
import { expect } from 'chai'
import { eventually } from './raw/eventually.ts'
import { RawServer } from './raw/raw-server.ts'
import { startUpstream, upstreamConfig, type UpstreamInput } from './upstream-config.ts'

/** A connection without an upstream behind it: a port on which nobody listens. */
async function deadPort(): Promise<number> {
  const server = await RawServer.start()
  await server.close()
  return server.port
}

/** Who asks the pool for a connection, and what it heard. */
class Client implements Lessee {
  connection: Connection | undefined
  error: ProxyError | undefined

  connected(connection: Connection): void {
    this.connection = connection
  }

  connectFailed(error: ProxyError): void {
    this.error = error
  }
}

/** Registers the contract as a suite: what every protocol's connections promise to the pool that keeps their book. */
export function describeConnection(name: string, connector: Connector): void {
  describe(`${name} keeps the contract of a connection`, () => {
    let runtime: Runtime
    let upstream: Upstream
    let server: RawServer
    const faults: unknown[] = []

    const open = (port: number, more: UpstreamInput | object = {}): { endpoint: Endpoint; pool: Pool } => {
      runtime = new Runtime({ faulted: (fault) => void faults.push(fault) })
      upstream = startUpstream(upstreamConfig({ endpoints: [`127.0.0.1:${port}`], ...more }), runtime)
      const [endpoint] = upstream.endpoints
      return { endpoint: endpoint!, pool: endpoint!.pool(connector) }
    }

    const lease = (pool: Pool): Client => {
      const client = new Client()
      pool.lease(client, runtime.clock())
      return client
    }

    const connected = (client: Client): Promise<Connection> => eventually(() => client.connection)

    beforeEach(async () => {
      faults.length = 0
      server = await RawServer.start()
    })

    afterEach(async () => {
      upstream.close('all')
      await server.close()
      await eventually(() => upstream.endpoints.every((endpoint) => endpoint.connections === 0))
      expect(faults).to.deep.equal([])
      expect(runtime.fine.count + runtime.coarse.count, 'timers').to.equal(0)
      runtime.stop()
    })

    it('tells its pool once when it stands, and is leased', async () => {
      const { pool, endpoint } = open(server.port)
      const connection = await connected(lease(pool))
      expect([connection.state, connection.carrying, connection.leases]).to.deep.equal(['leased', 1, 1])
      expect([pool.connecting, pool.size, endpoint.connections]).to.deep.equal([0, 1, 1])
      await eventually(() => server.accepted === 1)
    })

    it('fails with `connectFailed`, with nothing sent, when it is refused', async () => {
      const { pool, endpoint } = open(await deadPort())
      const client = lease(pool)
      await eventually(() => client.error)
      expect([client.error!.code, client.error!.progress]).to.deep.equal(['connectFailed', 'nothingSent'])
      expect([pool.size, endpoint.connections]).to.deep.equal([0, 0])
    })

    it('lets its pool try the next address when it is refused', async () => {
      const { pool, endpoint } = open(server.port)
      endpoint.addresses = [{ host: '127.0.0.1', port: await deadPort() }, endpoint.config.address]
      const connection = await connected(lease(pool))
      expect(connection.address).to.deep.equal(endpoint.config.address)
      expect(endpoint.health.lastFailure).to.equal(undefined)
    })

    it('fails when it is closed while it is made', async () => {
      const { pool, endpoint } = open(server.port)
      const client = lease(pool)
      pool.close('all')
      await eventually(() => client.error)
      expect(client.error!.code).to.equal('connectFailed')
      expect(endpoint.connections).to.equal(0)
    })

    it('is gone from its pool when it is closed', async () => {
      const { pool, endpoint } = open(server.port)
      const connection = await connected(lease(pool))
      connection.close()
      await eventually(() => connection.state === 'closed')
      expect([pool.size, pool.idle, endpoint.connections]).to.deep.equal([0, 0, 0])
    })

    it('does not tell its pool that it may be used again when it may not', async () => {
      const { pool } = open(server.port)
      const connection = await connected(lease(pool))
      expect(connection.concurrency).to.equal(connector.reusable ? connector.concurrency(pool) : 0)
      connection.close()
      expect(connection.concurrency).to.equal(0)
    })

    it('serves nobody and closes when it cannot be used again and whoever asked has left', async () => {
      if (connector.reusable) return
      const { pool } = open(server.port)
      const client = lease(pool)
      pool.forget(client)
      await eventually(() => server.accepted === 1 && pool.size === 0)
      expect(client.connection).to.equal(undefined)
    })

    if (!connector.reusable) return

    it('waits idle for the next one, and is leased again', async () => {
      const { pool } = open(server.port)
      const connection = await connected(lease(pool))
      pool.giveBack(connection)
      expect([connection.state, pool.idle]).to.deep.equal(['idle', 1])
      expect(lease(pool).connection).to.equal(connection)
      expect([connection.leases, pool.idle]).to.deep.equal([2, 0])
    })

    for (const [what, act] of [
      ['its peer’s FIN', (peer: RawServer) => peer.connections[0]!.fin()],
      ['its peer’s RST', (peer: RawServer) => peer.connections[0]!.rst()],
      ['a byte of its peer', (peer: RawServer) => peer.connections[0]!.write('?')],
    ] as const) {
      it(`leaves its pool upon ${what} while it is idle`, async () => {
        const { pool, endpoint } = open(server.port)
        const connection = await connected(lease(pool))
        pool.giveBack(connection)
        await eventually(() => server.accepted === 1)
        await act(server)
        await eventually(() => connection.state === 'closed')
        expect([pool.idle, pool.size, endpoint.connections]).to.deep.equal([0, 0, 0])
      })
    }

    it('is never leased once it is being closed', async () => {
      const { pool } = open(server.port)
      const connection = await connected(lease(pool))
      pool.giveBack(connection)
      connection.close()
      const next = lease(pool)
      expect(next.connection, 'not the one that is being closed').to.equal(undefined)
      expect(await connected(next)).to.not.equal(connection)
    })

    it('leaves its pool when its idle time is over, and not before', async () => {
      const { pool } = open(server.port, { pool: { idleTimeout: '60ms' } })
      const connection = await connected(lease(pool))
      const returned = performance.now()
      pool.giveBack(connection)
      await eventually(() => connection.state === 'closed')
      expect(performance.now() - returned).to.be.at.least(60)
    })
  })
}
