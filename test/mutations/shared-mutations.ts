import type { Mutation } from './mutations.ts'

/** Each is a mistake that somebody could make where threads share gates, and that a suite must see. */
export const sharedMutations: readonly Mutation[] = [
  {
    name: 'a lock is not taken over from the dead',
    file: 'state/recovery.ts',
    find: 'const ours = before === 0 || before === dead + 1',
    replace: 'const ours = before === 0',
  },
  {
    name: 'the permits that a dead thread held are not given back',
    file: 'state/recovery.ts',
    find: 'this.#words[this.#memory.heldPlace(gate, dead)] = 0',
    replace: '',
  },
  {
    name: 'the room that a dead thread held is not given back',
    file: 'state/recovery.ts',
    find: 'this.#words[at] = 0',
    replace: '',
  },
  {
    name: 'the queue is linked anew without regard to tickets',
    file: 'state/recovery.ts',
    find: 'waiting.sort((a, b) => (ticket(a) - ticket(b)) | 0)',
    replace: '',
  },
  {
    name: 'grants under way are forgotten when a gate is counted anew',
    file: 'state/recovery.ts',
    find: 'running++',
    replace: '',
  },
  {
    name: 'the waiters of a dead thread go on waiting',
    file: 'state/recovery.ts',
    find: 'if (this.#words[place + slotWord.gate] === gate) this.#words[place + slotWord.state] = slotState.free',
    replace: '',
  },
  {
    name: 'the chunks of a dead thread are not freed',
    file: 'state/recovery.ts',
    find: 'if (words[chunks + chunk] === dead + 1) Atomics.store(words, chunks + chunk, 0)',
    replace: '',
  },
  {
    name: 'nobody hears that a thread has died',
    file: 'state/recovery.ts',
    find: 'this.#tellAll(mail.recover)',
    replace: '',
  },
  {
    name: 'what a dead thread has granted is not looked for',
    file: 'state/shared-store.ts',
    find: 'if ((what & mail.recover) !== 0) this.#takeUpLost()\n    else if ((what & mail.granted) !== 0)',
    replace: 'if ((what & (mail.recover | mail.granted)) !== 0)',
  },
  {
    name: 'nobody is admitted when limits were raised',
    file: 'state/shared-store.ts',
    find: 'if ((what & (mail.admit | mail.recover)) !== 0)',
    replace: 'if (what < 0)',
  },
  {
    name: 'the list of granted slots is taken up newest first',
    file: 'state/shared-store.ts',
    find: 'for (let i = granted.length - 1; i >= 0; i--)',
    replace: 'for (let i = 0; i < granted.length; i++)',
  },
  {
    name: 'a slot is not linked to those granted before it',
    file: 'state/shared-store.ts',
    find: 'this.words[next] = head',
    replace: 'this.words[next] = none',
  },
  {
    name: 'what came free before a waiter came is given to nobody',
    file: 'gate/shared-gate.ts',
    find: `given to nobody.
    try {
      this.#admitLocked()`,
    replace: `given to nobody.
    try {`,
  },
  {
    name: 'a permit that comes back reaches nobody',
    file: 'gate/shared-gate.ts',
    find: `this.#keepPace()
    this.#admitLocked()`,
    replace: 'this.#keepPace()',
  },
  {
    name: 'a waiter leaves with what another thread has granted it',
    file: 'gate/shared-gate.ts',
    find: 'words[this.#at + gateWord.running] = words[this.#at + gateWord.running]! - 1',
    replace: '',
  },
  {
    name: 'the room of a waiter that leaves with its grant stays taken',
    file: 'gate/shared-gate.ts',
    find: 'if (record !== none) this.#store.cellsOf(record).leave()',
    replace: '',
  },
  {
    name: 'a slot is given back twice',
    file: 'gate/shared-gate.ts',
    find: 'this.#store.slots.giveBack(slot)\n        this.#tell(slot, room)',
    replace: 'for (const one of [slot, slot]) this.#store.slots.giveBack(one)\n        this.#tell(slot, room)',
  },
  {
    name: 'the room of a grant is not said',
    file: 'gate/shared-gate.ts',
    find: 'words[place + slotWord.room] = room?.record ?? none',
    replace: 'words[place + slotWord.room] = none',
  },
  {
    name: 'room is held by nobody',
    file: 'gate/shared-gate.ts',
    find: 'words[this.#held] = words[this.#held]! + 1\n      room?.hold(1)\n    }',
    replace: 'words[this.#held] = words[this.#held]! + 1\n    }',
  },
  {
    name: 'another thread is woken than the one that was granted a permit',
    file: 'gate/shared-gate.ts',
    find: 'this.#toWake.push(thread)',
    replace: 'this.#toWake.push((thread + 1) % this.#store.threads)',
  },
  {
    name: 'nobody is woken',
    file: 'gate/shared-gate.ts',
    find: 'this.#store.mailbox.post(thread, mail.granted)',
    replace: '',
  },
  {
    name: 'admitting looks at no limit',
    file: 'gate/shared-gate.ts',
    find: 'if (words[at + gateWord.running]! >= words[at + gateWord.limit]! && words[at + gateWord.dryRun] === 0) return',
    replace: '',
  },
  {
    name: 'a newcomer overtakes those who wait',
    file: 'gate/shared-gate.ts',
    find: '|| words[at + gateWord.oldest] !== none',
    replace: '',
  },
  {
    name: 'the count changes before the truth that it is made from is safe',
    file: 'gate/shared-gate.ts',
    find: 'words[this.#held] = words[this.#held]! + 1\n    words[at + gateWord.running] = running + 1\n    unlock(words, at)',
    replace:
      'words[at + gateWord.running] = running + 1\n    unlock(words, at)\n    words[this.#held] = words[this.#held]! + 1',
  },
]

/** What only threads that run at the same time can see. */
export const threadMutations: readonly Mutation[] = [
  {
    name: 'a lock that is taken lets others in',
    file: 'state/lock.ts',
    find: 'if (Atomics.compareExchange(words, at, 0, owner) !== 0) lockSlowly(words, at, owner)',
    replace: 'if (words[at] === 0) words[at] = owner',
  },
]
