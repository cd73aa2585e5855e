import { type MinRate, type RatedPeer, RateWatch, type Runtime } from '@sluice/core'

/** Who hears that a client does not keep up. */
export interface PacedClient {
  /** Bytes that have come from it, and that it has taken. */
  readonly receivedBytes: number
  readonly takenBytes: number
  /** It sends its request too slowly. */
  sendsTooSlowly(): void
  /** It takes its response too slowly. */
  takesTooSlowly(): void
  fault(fault: unknown): void
}

/** Watches that a client which is being served keeps up the least rate, in each direction while it is its turn. */
export class ClientPace {
  readonly #runtime: Runtime
  readonly #client: PacedClient
  // Most clients never have to be waited for.
  #upload: RateWatch | undefined
  #download: RateWatch | undefined

  constructor(runtime: Runtime, client: PacedClient) {
    this.#runtime = runtime
    this.#client = client
  }

  /** The request's next bytes are awaited. */
  uploading(rate: MinRate): void {
    this.#upload ??= new RateWatch(this.#runtime, rate, new Uploading(this.#client))
    this.#upload.begin(rate)
  }

  /** The request is complete, or not read at the moment. */
  uploadStopped(): void {
    this.#upload?.end()
  }

  /** The response waits for the client. */
  downloading(rate: MinRate): void {
    this.#download ??= new RateWatch(this.#runtime, rate, new Downloading(this.#client))
    this.#download.begin(rate)
  }

  /** The client has taken what waited for it. */
  downloadStopped(): void {
    this.#download?.end()
  }

  /** Nothing is under way any more. */
  end(): void {
    this.uploadStopped()
    this.downloadStopped()
  }
}

class Uploading implements RatedPeer {
  readonly #client: PacedClient

  constructor(client: PacedClient) {
    this.#client = client
  }

  get movedBytes(): number {
    return this.#client.receivedBytes
  }

  tooSlow(): void {
    this.#client.sendsTooSlowly()
  }

  fault(fault: unknown): void {
    this.#client.fault(fault)
  }
}

class Downloading implements RatedPeer {
  readonly #client: PacedClient

  constructor(client: PacedClient) {
    this.#client = client
  }

  get movedBytes(): number {
    return this.#client.takenBytes
  }

  tooSlow(): void {
    this.#client.takesTooSlowly()
  }

  fault(fault: unknown): void {
    this.#client.fault(fault)
  }
}
