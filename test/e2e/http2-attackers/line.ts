import type { Target } from './targets.ts'

/** What an attacker has said so far on one connection. */
export class Line {
  readonly target: Target
  lastId = -1

  constructor(target: Target) {
    this.target = target
  }

  /** The next stream. */
  newId(): number {
    return (this.lastId += 2)
  }
}
