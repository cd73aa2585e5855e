import type { Connection } from './connection.ts'

/** Connections of a pool in the order in which they were put there. Each stands in one list at most; all of it is O(1). */
export class ConnectionList {
  newest: Connection | undefined
  oldest: Connection | undefined
  size = 0

  /** Puts a connection that stands in no list before the others. */
  add(connection: Connection): void {
    connection.list = this
    connection.older = this.newest
    if (this.newest === undefined) this.oldest = connection
    else this.newest.newer = connection
    this.newest = connection
    this.size++
  }

  /** False when it does not stand here. */
  remove(connection: Connection): boolean {
    if (connection.list !== this) return false
    const { newer, older } = connection
    if (newer === undefined) this.newest = older
    else newer.older = older
    if (older === undefined) this.oldest = newer
    else older.newer = newer
    this.size--
    connection.list = undefined
    connection.newer = undefined
    connection.older = undefined
    return true
  }
}
