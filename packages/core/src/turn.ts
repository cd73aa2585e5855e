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
    let done = 0
    try {
      for (const task of tasks) {
        done++
        try {
          task.run()
        } catch (fault) {
          task.fault(fault)
        }
      }
    } finally {
      // A `fault` that throws reaches whoever watches the process; the other tasks' units are not lost with it.
      if (done < tasks.length) for (let i = done; i < tasks.length; i++) this.put(tasks[i]!)
    }
  }

  put(task: Task): void {
    this.#tasks.push(task)
    if (this.#scheduled) return
    this.#scheduled = true
    queueMicrotask(this.#drain)
  }
}
