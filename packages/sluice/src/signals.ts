/** What the signals of a server are about. */
export interface SignalHandlers {
  /** SIGTERM, SIGINT, or the launcher is gone: end in order. */
  drain(): void
  /** The same once more: end at once. */
  stop(): void
  /** SIGHUP. */
  reload(): void
  /** SIGUSR2. */
  reopenLogs(): void
}

/**
 * SIGINTs that come within so long are one, in milliseconds: a Ctrl-C goes from the terminal to the whole group, and
 * npx, npm and our launcher each pass it on once more.
 */
const sameKeypressMs = 300

/** Listens to the process' signals; the function given back ends that. */
export function onSignals(handlers: SignalHandlers): () => void {
  let endings = 0
  let lastInterrupt = -Infinity
  const end = () => {
    endings++
    if (endings === 1) handlers.drain()
    else handlers.stop()
  }
  const interrupt = () => {
    const now = performance.now()
    const same = now - lastInterrupt < sameKeypressMs
    lastInterrupt = now
    if (!same) end()
  }
  const listeners: ReadonlyArray<readonly [NodeJS.Signals | 'disconnect', () => void]> = [
    ['SIGTERM', end],
    ['SIGINT', interrupt],
    ['SIGHUP', () => handlers.reload()],
    ['SIGUSR2', () => handlers.reopenLogs()],
    // The launcher's channel: it breaks when the launcher was killed, and nobody else would end us then.
    ['disconnect', () => endings === 0 && end()],
  ]
  for (const [name, listener] of listeners) process.on(name, listener)
  // To listen to the channel must not keep the process alive.
  process.channel?.unref()
  return () => {
    for (const [name, listener] of listeners) process.off(name, listener)
  }
}
