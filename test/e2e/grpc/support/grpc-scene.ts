import type { ClientOptions } from '@grpc/grpc-js'
import {
  type GrpcBackend,
  type GrpcCall,
  type GrpcBackendOptions,
  GrpcClient,
  protosDir,
  startGrpcBackend,
} from '../../../../packages/backends/src/index.ts'
import { RawHttp2 } from '../../../../packages/testkit/src/http2/index.ts'
import { eventually } from '../../../../packages/testkit/src/raw/index.ts'
import { Stage, type Written } from '../../support/stage.ts'
import { echo } from './messages.ts'

/** What a scene is made of besides one gRPC backend, one listener `rpc` and one upstream `shop`. */
export interface SceneWritten {
  readonly threads?: number
  readonly backend?: GrpcBackendOptions
  /** More of the listener; without `routes` and `upstream` all calls go to `shop`. */
  readonly listener?: Written
  /** More of the upstream; its endpoint is the backend unless it says otherwise. */
  readonly upstream?: Written
  /** More of the configuration. */
  readonly config?: Written
}

/** What transcodes by the `.proto` files of the test backends. */
export const transcoding = {
  protos: [`${protosDir}/shop/v1/orders.proto`, `${protosDir}/sluice/test/v1/echo.proto`],
  includes: [protosDir],
}

/** A gRPC backend, Sluice before it, and the clients that were made for it. */
export class GrpcScene {
  readonly backend: GrpcBackend
  readonly stage: Stage
  readonly #closers: (() => unknown)[] = []

  private constructor(backend: GrpcBackend, stage: Stage) {
    this.backend = backend
    this.stage = stage
  }

  static async start({ threads, backend: options, listener, upstream, config }: SceneWritten = {}): Promise<GrpcScene> {
    const backend = await startGrpcBackend(options)
    const leads = listener !== undefined && ('routes' in listener || 'upstream' in listener)
    const stage = await Stage.start({
      ...(threads === undefined ? {} : { threads }),
      ...config,
      listeners: {
        rpc: { bind: '127.0.0.1:0', protocol: 'grpc', ...(leads ? {} : { upstream: 'shop' }), ...listener },
        ...(config?.['listeners'] as Written | undefined),
      },
      upstreams: {
        shop: { endpoints: [`grpc://127.0.0.1:${backend.address.port}`], ...upstream },
        ...(config?.['upstreams'] as Written | undefined),
      },
    })
    stage.closesWith(backend)
    return new GrpcScene(backend, stage)
  }

  get port(): number {
    return this.stage.port('rpc')
  }

  /** A client on @grpc/grpc-js, with a channel of its own. */
  client(options: ClientOptions = {}, listener = 'rpc'): GrpcClient {
    const client = new GrpcClient(`127.0.0.1:${this.stage.port(listener)}`, options)
    this.#closers.push(() => client.close())
    return client
  }

  /** Makes a call that runs until it is cancelled, or the scene ends; it runs when this resolves. */
  async longCall(): Promise<GrpcCall> {
    const behaviour = { responses: 100_000, delayMs: 20 }
    const call = this.client().start(echo, 'ServerStream', { behaviour }, { deadlineMs: 0 })
    await call.message(0)
    this.#closers.unshift(() => call.cancel())
    return call
  }

  /** A client that speaks HTTP/2 frame by frame. */
  async raw(listener = 'rpc'): Promise<RawHttp2> {
    const peer = await RawHttp2.connect({ port: this.stage.port(listener), timeoutMs: 5_000 })
    this.#closers.push(() => peer.close())
    return peer
  }

  /** Has a server closed before the proxy, which would wait for it to take leave of it. */
  closesFirst(server: { close(): Promise<void> }): void {
    this.#closers.push(() => server.close())
  }

  /** Resolves when no call runs at the backend. */
  async backendIdle(): Promise<void> {
    await eventually(() => this.backend.stats().running === 0, { what: 'an idle backend' })
  }

  /** Ends everything, and looks that nothing is left of it. */
  async close(): Promise<void> {
    for (const close of this.#closers) await close()
    await this.stage.close()
  }
}
