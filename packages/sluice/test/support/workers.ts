import type { Worker } from 'node:worker_threads'

/** Every thread that is made from now on. */
export class Workers implements Disposable {
  readonly made: Worker[] = []
  /** Messages of all of them so far. */
  messages = 0
  readonly #told = (worker: Worker) => {
    this.made.push(worker)
    worker.on('message', () => this.messages++)
  }

  constructor() {
    process.on('worker', this.#told)
  }

  get running(): Worker[] {
    return this.made.filter(({ threadId }) => threadId !== -1)
  }

  [Symbol.dispose](): void {
    process.off('worker', this.#told)
  }
}
