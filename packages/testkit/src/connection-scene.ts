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
import { type RawScript, RawServer } from './raw/raw-server.ts'
import { startUpstream, upstreamConfig, type UpstreamInput } from './upstream-config.ts'

/** Who asks the pool for a connection, and what it heard. */
export class Client implements Lessee {
  connection: Connection | undefined
  error: ProxyError | undefined

  connected(connection: Connection): void {
    this.connection = connection
  }

  connectFailed(error: ProxyError): void {
    this.error = error
  }
}

/** A raw server, and a pool of connections to it. */
export class ConnectionScene {
  readonly server: RawServer
  readonly faults: unknown[] = []
  readonly runtime = new Runtime({ faulted: (fault) => void this.faults.push(fault) })
  readonly #connector: Connector
  #upstream: Upstream | undefined

  private constructor(server: RawServer, connector: Connector) {
    this.server = server
    this.#connector = connector
  }

  static async start(connector: Connector, script: RawScript | undefined): Promise<ConnectionScene> {
    return new ConnectionScene(await RawServer.start(script), connector)
  }

  /** A pool for the server, or for another `port`; `more`: of the configuration of its upstream. */
  open(more: Partial<UpstreamInput> = {}, port: number = this.server.port): { endpoint: Endpoint; pool: Pool } {
    const config = upstreamConfig({ endpoints: [`127.0.0.1:${port}`], ...more })
    this.#upstream = startUpstream(config, this.runtime)
    const [endpoint] = this.#upstream.endpoints
    return { endpoint: endpoint!, pool: endpoint!.pool(this.#connector) }
  }

  lease(pool: Pool): Client {
    const client = new Client()
    pool.lease(client, this.runtime.clock())
    return client
  }

  connected(client: Client): Promise<Connection> {
    return eventually(() => client.connection)
  }

  /** Ends everything, and sees to it that nothing is left. */
  async end(): Promise<void> {
    this.#upstream?.close('all')
    await this.server.close()
    await eventually(() => this.#upstream?.endpoints.every((endpoint) => endpoint.connections === 0) ?? true)
    expect(this.faults).to.deep.equal([])
    expect(this.runtime.fine.count + this.runtime.coarse.count, 'timers').to.equal(0)
    this.runtime.stop()
  }
}
