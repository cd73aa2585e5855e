/** One line on stderr that tells where the run is: rewritten in place on a terminal, a line a round elsewhere. */
export class Progress {
  readonly #terminal = process.stderr.isTTY === true
  readonly #startedAt = Date.now()
  readonly #steps: number
  #done = 0

  constructor(steps: number) {
    this.#steps = steps
  }

  /** A step begins. */
  step(what: string): void {
    if (this.#terminal) {
      const left =
        this.#done === 0
          ? ''
          : `, ${duration(((Date.now() - this.#startedAt) / this.#done) * (this.#steps - this.#done))} left`
      process.stderr.write(`\r\x1b[2K${what}  (${this.#done + 1} of ${this.#steps}${left})`)
    }
    this.#done++
  }

  /** A round is over. */
  round(what: string): void {
    if (!this.#terminal) process.stderr.write(`${what}\n`)
  }

  /** A line that stays. */
  note(line: string): void {
    this.clear()
    process.stderr.write(`${line}\n`)
  }

  clear(): void {
    if (this.#terminal) process.stderr.write('\r\x1b[2K')
  }
}

/** A duration for people. */
export function duration(ms: number): string {
  return ms < 90_000 ? `${Math.ceil(ms / 1000)} s` : `${Math.round(ms / 60_000)} min`
}
