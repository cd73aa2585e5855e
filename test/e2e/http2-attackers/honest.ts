import { connect, type ClientHttp2Session } from 'node:http2'
import { setTimeout as pause } from 'node:timers/promises'
import { GrpcClient } from '../../../packages/backends/src/index.ts'
import { RawClient } from '../../../packages/testkit/src/raw/index.ts'
import { ask, get } from '../support/ask.ts'

/** Between two requests of one client. */
const restMs = 5
const patientMs = 60_000
const payload = Buffer.alloc(2_000, 'honest')

/** Clients that do nothing wrong: gRPC by grpc-js, HTTP/2 by Node, HTTP/1.1 by hand; each on one connection, call by call. */
export class HonestClients {
  calls = 0
  longestMs = 0
  readonly failures: string[] = []
  readonly #over: Promise<unknown>
  #asking = true

  constructor(ports: { readonly web: number; readonly rpc: number }) {
    this.#over = Promise.all([this.#grpc(ports.rpc), this.#http2(ports.web), this.#http1(ports.web)])
  }

  async stop(): Promise<void> {
    this.#asking = false
    await this.#over
  }

  async #ask(what: string, call: () => Promise<string>): Promise<void> {
    while (this.#asking) {
      const since = performance.now()
      try {
        const got = await call()
        if (got !== 'ok') this.failures.push(`${what}: ${got}`)
      } catch (error) {
        this.failures.push(`${what}: ${String(error)}`)
        // What follows would only say so again.
        return
      }
      this.calls++
      this.longestMs = Math.max(this.longestMs, performance.now() - since)
      await pause(restMs)
    }
  }

  async #grpc(port: number): Promise<void> {
    const client = new GrpcClient(`127.0.0.1:${port}`)
    await this.#ask('gRPC', async () => {
      const request = { text: 'a', payload }
      const outcome = await client.run<{ payload: Buffer }>('sluice.test.v1.Echo', 'Unary', [request], {
        deadlineMs: patientMs,
      })
      if (outcome.code !== 0) return `${outcome.code} ${outcome.details}`
      return payload.equals(outcome.messages[0]!.payload) ? 'ok' : 'another payload'
    })
    client.close()
  }

  async #http2(port: number): Promise<void> {
    const session = connect(`http://127.0.0.1:${port}`)
    session.on('error', (error) => this.failures.push(`HTTP/2 session: ${String(error)}`))
    await this.#ask('HTTP/2', () => request(session))
    session.destroy()
  }

  async #http1(port: number): Promise<void> {
    const client = await RawClient.connect({ port, timeoutMs: patientMs })
    await this.#ask('HTTP/1.1', async () => {
      const { status, body } = await ask(client, get('/bytes/5000'))
      return status === 200 && body.length === 5_000 ? 'ok' : `${status} ${body.toString('latin1').slice(0, 100)}`
    })
    await client.close()
  }
}

function request(session: ClientHttp2Session): Promise<string> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':path': '/bytes/5000' })
    let status = 0
    let octets = 0
    stream.setTimeout(patientMs, () => reject(new Error(`no answer within ${patientMs} ms`)))
    stream.once('error', reject)
    stream.once('response', (fields) => (status = fields[':status'] ?? 0))
    stream.on('data', (bytes: Buffer) => (octets += bytes.length))
    stream.once('close', () =>
      resolve(status === 200 && octets === 5_000 ? 'ok' : `${status} with ${octets} octets, code ${stream.rstCode}`),
    )
  })
}
