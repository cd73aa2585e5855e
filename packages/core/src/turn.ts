/** Something to do before the event loop goes on. */
export interface Task {
  run(): void
  /** `run` threw: a bug of ours, which must cost this task's unit only. */
  fault(fault: unknown): void
}

/**
 * Work put off to the end of the current turn, so that nobody is called back from inside a call of his own.
 *
 * A permit that comes free may go to a waiter whose forwarding ends in the very function that released it. Tasks run
 * as a microtask, in order, each inside the one try/catch.
 */
export class Turn {
  #tasks: Task[] = []
  #scheduled = false
  readonly #drain = () => {
    this.#scheduled = false
    const tasks = this.#tasks
    this.#tasks = []
    for (const task of tasks) {
      try {
        task.run()
      } catch (fault) {
        task.fault(fault)
      }
    }
  }

  put(task: Task): void {
    this.#tasks.push(task)
    if (this.#scheduled) return
    this.#scheduled = true
    queueMicrotask(this.#drain)
  }
}
