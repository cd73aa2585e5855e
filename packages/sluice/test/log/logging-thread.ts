import { parentPort, workerData } from 'node:worker_threads'
import { LogRingWriter } from '../../src/log/log-ring.ts'

/** What a thread of the tests logs, and where to. */
export interface LoggingTask {
  readonly memory: SharedArrayBuffer
  readonly name: string
  /** Batches; it goes on for ever without. */
  readonly batches?: number
  /** Counts the batches that were taken. */
  readonly taken: SharedArrayBuffer
}

/** What is written in one piece. Each line is of another length, so that a piece that is missing shows. */
export function batchOf(name: string, number: number): string {
  const lines = Array.from({ length: (number % 7) + 1 }, (_, i) => {
    const head = `${name} ${number} ${i} `
    return `${head}${'x'.repeat((number * 31 + i * 7) % 200)}.\n`
  })
  return lines.join('')
}

if (workerData !== null) {
  const { memory, name, batches = Number.POSITIVE_INFINITY, taken } = workerData as LoggingTask
  const writer = new LogRingWriter(memory)
  const count = new Int32Array(taken)
  for (let number = 0; number < batches; number++) if (writer.write(batchOf(name, number))) Atomics.add(count, 0, 1)
  parentPort!.postMessage('written')
}
