import { createHash } from 'node:crypto'
import { type FSWatcher, readFileSync, watch } from 'node:fs'
import { dirname } from 'node:path'

/** What has changed must have stayed the same for so long, in milliseconds: one change is many events. */
const settledMs = 100

/**
 * Between two looks without an event, in milliseconds: file systems over a network and mounts of containers send none,
 * and a directory that was made anew is another one.
 */
const defaultLookEveryMs = 2_000

/**
 * Tells when what stands in some files has changed, and is complete.
 *
 * It follows their directories, since editors put a new file in the old one's place, and others (Kubernetes) exchange a
 * link above it. An event is only a reason to look: what counts is the content, so that neither the log beside the file
 * nor a `touch` is a change.
 */
export class FileWatch {
  readonly #files: () => readonly string[]
  readonly #changed: () => void
  readonly #directories = new Map<string, FSWatcher>()
  readonly #poll: NodeJS.Timeout
  #closed = false
  #timer: NodeJS.Timeout | undefined
  /** What is known of each file. */
  #told: Contents
  /** As the last look found it. */
  #seen: Contents = new Map()

  /** `files` is asked at every look. */
  constructor(files: () => readonly string[], changed: () => void, lookEveryMs = defaultLookEveryMs) {
    this.#files = files
    this.#changed = changed
    this.#told = this.#contents()
    this.#poll = setInterval(() => this.#stir(), lookEveryMs)
    this.#poll.unref()
    this.#follow()
  }

  /** They are about to be read: what stands there now is known. */
  known(): void {
    this.#told = this.#contents()
  }

  /** There are other files now: what stands in new ones is known. */
  meet(): void {
    this.#told = new Map([...this.#contents(), ...this.#told])
    this.#stir()
  }

  close(): void {
    this.#closed = true
    clearInterval(this.#poll)
    clearTimeout(this.#timer)
    for (const watcher of this.#directories.values()) watcher.close()
    this.#directories.clear()
  }

  /** Something may have happened: looks in a moment, however many events there are until then. */
  #stir(): void {
    if (this.#closed || this.#timer !== undefined) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#look()
    }, settledMs)
    this.#timer.unref()
  }

  #look(): void {
    this.#follow()
    const contents = this.#contents()
    if (isSame(contents, this.#told)) return
    // Somebody may be still writing: what has changed since the last look is looked at once more.
    const settled = isSame(contents, this.#seen)
    this.#seen = contents
    if (!settled) return this.#stir()
    this.#told = contents
    this.#changed()
  }

  #follow(): void {
    const wanted = new Set(this.#files().map((file) => dirname(file)))
    for (const [directory, watcher] of this.#directories) {
      if (wanted.has(directory)) continue
      watcher.close()
      this.#directories.delete(directory)
    }
    for (const directory of wanted) if (!this.#directories.has(directory)) this.#open(directory)
  }

  #open(directory: string): void {
    try {
      const watcher = watch(directory, { persistent: false }, () => this.#stir())
      watcher.on('error', () => this.#lose(directory, watcher))
      this.#directories.set(directory, watcher)
    } catch {
      // It is not there, or the system has no watch left: the looks without an event remain.
    }
  }

  #lose(directory: string, watcher: FSWatcher): void {
    watcher.close()
    this.#directories.delete(directory)
  }

  #contents(): Contents {
    return new Map(this.#files().map((file) => [file, digestOf(file)]))
  }
}

/** Digests of files. */
type Contents = ReadonlyMap<string, string>

function isSame(now: Contents, before: Contents): boolean {
  return [...now].every(([file, digest]) => before.get(file) === digest)
}

/** Why it cannot be read is a content, too: that of a file that is not there. */
function digestOf(file: string): string {
  try {
    return createHash('sha256').update(readFileSync(file)).digest('base64')
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code)
  }
}
