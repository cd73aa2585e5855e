// The other thread of the gate's bench.
import { workerData } from 'node:worker_threads'
import {
  Permit,
  type Records,
  Runtime,
  SharedMemory,
  type SharedMemoryHandle,
  SharedStore,
  Waiter,
} from '../../packages/core/src/index.ts'

/** What it is started with. */
export interface GateThreadData {
  readonly memory: SharedMemoryHandle
  readonly records: Records
  /** Whether it is ready, whether it is to end; two words for when it was told, in nanoseconds. */
  readonly words: Int32Array
  /** Acquires and releases all the time, or waits and says when it was told. */
  readonly what: 'acquire' | 'wait'
}

const { memory, records, words, what } = workerData as GateThreadData
const clock = () => performance.now()
const store = new SharedStore(SharedMemory.from(memory), 1, { records, clock })
store.open()
const runtime = new Runtime({
  clock,
  store,
  faulted: (fault) => {
    throw fault
  },
})
const gate = store.gate('g', { limit: 100, queue: 100, timeoutMs: 1_000 }, { turn: runtime.turn, clock })
const told = new BigInt64Array(words.buffer, 8, 1)

class Sleeper extends Waiter {
  readonly permit = new Permit()

  protected override granted(): void {
    Atomics.store(told, 0, process.hrtime.bigint() % 1_000_000_000_000n)
    this.permit.release()
    // The other one takes the permit first.
    setTimeout(() => this.wait(), 1)
  }

  override fault(fault: unknown): void {
    throw fault
  }

  wait(): void {
    if (gate.tryAcquire(this.permit)) {
      this.permit.release()
      setTimeout(() => this.wait(), 0)
    } else {
      gate.enqueue(this)
    }
  }
}

Atomics.store(words, 0, 1)
if (what === 'wait') {
  new Sleeper().wait()
  // Sleeps as a thread does whose sockets are quiet.
  setInterval(() => {}, 60_000)
} else {
  const permit = new Permit()
  while (Atomics.load(words, 1) === 0) {
    for (let i = 0; i < 1_000; i++) if (gate.tryAcquire(permit)) permit.release()
  }
}
