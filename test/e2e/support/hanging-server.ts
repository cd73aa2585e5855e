import { connect, type Socket } from 'node:net'
import { Worker } from 'node:worker_threads'
import { once } from 'node:events'

const script = `
const { parentPort } = require('node:worker_threads')
const word = new Int32Array(require('node:worker_threads').workerData)
const server = require('node:net').createServer()
server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
  parentPort.postMessage(server.address().port)
  setImmediate(() => Atomics.wait(word, 0, 0))
})
`

/**
 * A port whose connects hang: its thread never accepts, and its backlog is full, so the kernel leaves every SYN
 * without an answer.
 */
export class HangingServer {
  readonly port: number
  readonly #worker: Worker
  readonly #fillers: Socket[]
  readonly #word: Int32Array

  private constructor(port: number, worker: Worker, fillers: Socket[], word: Int32Array) {
    this.port = port
    this.#worker = worker
    this.#fillers = fillers
    this.#word = word
  }

  static async start(): Promise<HangingServer> {
    const memory = new SharedArrayBuffer(4)
    const worker = new Worker(script, { eval: true, workerData: memory })
    const [port] = (await once(worker, 'message')) as [number]
    const fillers: Socket[] = []
    // The kernel takes one or two more than the backlog says: filled until a connect is left without an answer.
    for (;;) {
      const filler = connect(port, '127.0.0.1')
      filler.on('error', () => undefined)
      fillers.push(filler)
      const stands = await Promise.race([
        once(filler, 'connect').then(() => true),
        new Promise<false>((resolve) => setTimeout(resolve, 100, false)),
      ])
      if (!stands) return new HangingServer(port, worker, fillers, new Int32Array(memory))
    }
  }

  async close(): Promise<void> {
    for (const filler of this.#fillers) filler.destroy()
    Atomics.store(this.#word, 0, 1)
    Atomics.notify(this.#word, 0)
    await this.#worker.terminate()
  }
}
