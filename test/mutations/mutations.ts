/** One way to break the gate or the dispatcher: the text that is replaced, in a file of packages/core/src. */
export interface Mutation {
  readonly name: string
  readonly file: string
  readonly find: string
  readonly replace: string
}

/** Each is a mistake that somebody could make, and that a suite must see. */
export const mutations: readonly Mutation[] = [
  {
    name: 'a release counts every time',
    file: 'gate/gate.ts',
    find: 'if (gate === undefined) return\n    this.gate = undefined',
    replace: 'if (gate === undefined) return',
  },
  {
    name: 'a permit keeps its room',
    file: 'gate/gate.ts',
    find: 'gate.giveBack(room)',
    replace: 'gate.giveBack(undefined)',
  },
  {
    name: 'a waiter that has left is told all the same',
    file: 'gate/gate.ts',
    find: "if (this.waiterState !== 'granted') return",
    replace: "if (this.waiterState === 'waiting') return",
  },
  {
    name: 'the newest waiter is let through first',
    file: 'gate/local-gate.ts',
    find: 'const waiter = this.#oldest\n',
    replace: 'const waiter = this.#newest!\n',
  },
  {
    name: 'one more than the limit is let through',
    file: 'gate/local-gate.ts',
    find: 'const full = this.#running >= limit',
    replace: 'const full = this.#running > limit',
  },
  {
    name: 'one more than the queue is let in',
    file: 'gate/local-gate.ts',
    find: 'if (this.#waiting >= this.#limits.queue) return false',
    replace: 'if (this.#waiting > this.#limits.queue) return false',
  },
  {
    name: 'a permit that comes back wakes nobody',
    file: 'gate/local-gate.ts',
    find: 'this.#pace.released(this.#clock())\n    this.admitWaiting()',
    replace: 'this.#pace.released(this.#clock())',
  },
  {
    name: 'a granted waiter leaves without its permit going on',
    file: 'gate/local-gate.ts',
    find: "waiter.waiterState = 'outside'\n        waiter.permit.release()",
    replace: "waiter.waiterState = 'outside'",
  },
  {
    name: 'a waiter that leaves takes the end of the queue with it',
    file: 'gate/local-gate.ts',
    find: 'if (next === undefined) this.#newest = previous',
    replace: 'if (next === undefined) this.#newest = this.#oldest',
  },
  {
    name: 'a raised limit admits nobody',
    file: 'gate/local-gate.ts',
    find: 'this.#limits = limits\n    this.admitWaiting()',
    replace: 'this.#limits = limits',
  },
  {
    name: 'a waiter is told inside the call that released',
    file: 'gate/local-gate.ts',
    find: 'this.#turn.put(waiter)',
    replace: 'waiter.run()',
  },
  {
    name: 'health that has changed wakes nobody',
    file: 'upstream/upstream.ts',
    find: 'this.gate.admitWaiting()',
    replace: '',
  },
  {
    name: 'a unit that moves is counted at both endpoints',
    file: 'upstream/upstream.ts',
    find: 'from.leave()',
    replace: '',
  },
  {
    name: "an endpoint's limit is not looked at",
    file: 'state/endpoint-cells.ts',
    find: 'running < words[endpointWord.limit]! && ',
    replace: '',
  },
]
