import type { Backend } from '../../../packages/backends/src/index.ts'
import { scaled } from '../../../packages/testkit/src/scale.ts'
import { Stage, type Written } from '../../e2e/support/stage.ts'
import type { Certificate } from '../../e2e/support/certificates.ts'

/** Where the clients of a suite find its servers. */
export interface Passage {
  readonly port: number
  /** `undefined` on the direct way. */
  readonly stage: Stage | undefined
  /** Ends what lies between, and looks that nothing is left of it. */
  close(): Promise<void>
}

/** What a suite wants of a way. */
export interface Passenger {
  /** What the servers speak. Default: `grpc`. */
  readonly speaks?: 'grpc' | 'h2c' | 'http'
  /** The listener has TLS with it. Default: none. */
  readonly tls?: Certificate
  /** More of the listener's configuration, such as `web`. */
  readonly listener?: Written
  /** More of the upstream's. */
  readonly upstream?: Written
}

/** How a suite reaches its servers: the direct way proves the suite, the others prove Sluice. */
export interface Way {
  readonly name: string
  /** The listener's protocol; `undefined`: there is none in between. */
  readonly protocol: 'grpc' | 'http' | undefined
  to(backends: readonly Pick<Backend, 'address'>[], passenger?: Passenger): Promise<Passage>
}

const direct: Way = {
  name: 'directly',
  protocol: undefined,
  to: ([backend]) => Promise.resolve({ port: backend!.address.port, stage: undefined, close: async () => undefined }),
}

function through(protocol: 'grpc' | 'http', threads: number): Way {
  return {
    name: `through Sluice (${protocol}${threads > 0 ? `, ${threads} threads` : ''})`,
    protocol,
    async to(backends, { speaks = 'grpc', tls, listener, upstream } = {}) {
      const files = tls === undefined ? {} : { tls: { cert: tls.certFile, key: tls.keyFile } }
      const stage = await Stage.start({
        threads,
        listeners: { front: { bind: '127.0.0.1:0', protocol, upstream: 'servers', ...files, ...listener } },
        upstreams: {
          servers: {
            endpoints: backends.map(({ address }) => `${speaks}://${address.host}:${address.port}`),
            ...upstream,
          },
        },
      })
      const close = async (): Promise<void> => {
        await stage.close()
        if (stage.accounts.length === 0) throw new Error('nothing went through Sluice')
      }
      return { port: stage.port('front'), stage, close }
    },
  }
}

const inOneThread: readonly Way[] = [direct, through('grpc', 0), through('http', 0)]

/** Every way there is. */
export const allWays: readonly Way[] = [...inOneThread, through('grpc', 2)]

/** The ways of the suites that take their time: those over threads only when there is more of it. */
export const ways: readonly Way[] = scaled({ test: inOneThread, ci: allWays, soak: allWays })
