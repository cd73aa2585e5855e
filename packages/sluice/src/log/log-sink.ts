/** Where log lines go: the file itself, or the way to the thread that has it. Never blocks and never throws. */
export interface LogSink {
  /** Hears how many lines were dropped here. */
  onDropped: (lines: number) => void
  /** Appends whole lines. */
  write(lines: string): void
  /** Opens the file anew, after it has been moved away. */
  reopen(): void
  /** Writes what waits, now. For the end of the process. */
  flushSync(): void
  /** Writes what waits and closes. */
  close(): Promise<void>
}

/** How many lines a batch has. */
export function countLines(batch: Uint8Array): number {
  let lines = 0
  for (let at = batch.indexOf(0x0a); at >= 0; at = batch.indexOf(0x0a, at + 1)) lines++
  return lines
}
