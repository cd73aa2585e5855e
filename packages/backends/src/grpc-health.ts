import {
  type sendUnaryData,
  type ServerUnaryCall,
  type ServerWritableStream,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'

/** What `grpc.health.v1` says of a service. */
export type ServingStatus = 'UNKNOWN' | 'SERVING' | 'NOT_SERVING'

interface Asked {
  readonly service: string
}

interface Told {
  readonly status: ServingStatus | 'SERVICE_UNKNOWN'
}

/** `grpc.health.v1.Health`, with what it says on cue. */
export class Health {
  readonly #statuses = new Map<string, ServingStatus>()
  readonly #watchers = new Map<ServerWritableStream<Asked, Told>, string>()

  /** All of `services` are serving, and so is the server as a whole, whose name is empty. */
  constructor(services: readonly string[]) {
    for (const service of ['', ...services]) this.#statuses.set(service, 'SERVING')
  }

  /** Says so from now on, and tells it to those that watch the service. */
  set(service: string, now: ServingStatus): void {
    this.#statuses.set(service, now)
    for (const [call, watched] of this.#watchers) if (watched === service) call.write({ status: now })
  }

  /** Its methods, as grpc-js takes them. */
  readonly implementation: UntypedServiceImplementation = {
    Check: ({ request }: ServerUnaryCall<Asked, Told>, callback: sendUnaryData<Told>) => {
      const now = this.#statuses.get(request.service)
      if (now === undefined) callback({ code: status.NOT_FOUND, details: `no service '${request.service}'` })
      else callback(null, { status: now })
    },
    List: (_: ServerUnaryCall<object, object>, callback: sendUnaryData<object>) => {
      callback(null, {
        statuses: Object.fromEntries([...this.#statuses].map(([name, now]) => [name, { status: now }])),
      })
    },
    Watch: (call: ServerWritableStream<Asked, Told>) => {
      const { service } = call.request
      this.#watchers.set(call, service)
      call.once('cancelled', () => this.#watchers.delete(call))
      call.write({ status: this.#statuses.get(service) ?? 'SERVICE_UNKNOWN' })
    },
  }
}
