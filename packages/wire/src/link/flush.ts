/** What collects writes during a turn and sends them at its end. */
export interface Flushable {
  flush(): void
  /** `flush` threw: a bug of ours, which must not keep the others' bytes back. */
  fault(fault: unknown): void
}

let depth = 0
let pending: Flushable[] = []
let scheduled = false

function flushAll(): void {
  // A flush never adds another one: it only hands bytes to the kernel.
  const due = pending
  pending = []
  for (const one of due) {
    try {
      one.flush()
    } catch (fault) {
      one.fault(fault)
    }
  }
}

function flushLater(): void {
  scheduled = false
  flushAll()
}

/** Begins a turn: the writes until `leaveTurn` leave together, one write for each link. */
export function enterTurn(): void {
  depth++
}

/** Ends a turn, while the bytes lent in it are still valid. */
export function leaveTurn(): void {
  if (--depth === 0 && pending.length > 0) flushAll()
}

/** Has `one` flushed when the turn ends; outside a turn, before the event loop goes on. */
export function flushAtEndOfTurn(one: Flushable): void {
  pending.push(one)
  if (depth === 0 && !scheduled) {
    scheduled = true
    queueMicrotask(flushLater)
  }
}
