import { copyBytes, FIELD_STRIDE, type MessageHead } from '@sluice/wire'

/**
 * Copies the field lines of a head, all but those whose id is in `dropMask` and those that Connection names; returns
 * the position after them. What is not touched is copied as bytes: in order, in its letter case, repeated if repeated.
 */
export function copyFields(out: Buffer, pos: number, head: MessageHead, dropMask: number): number {
  const { buf, table, fieldCount, connectionNamesOthers } = head
  if ((head.seen & dropMask) === 0 && !connectionNamesOthers) {
    return copyBytes(out, pos, buf, head.fieldsStart, head.fieldsEnd)
  }
  let at = pos
  let runStart = -1
  for (let i = 0; i < fieldCount; i++) {
    const lineStart = table[i * FIELD_STRIDE]!
    const id = table[i * FIELD_STRIDE + 4]!
    if ((id !== 0 && (dropMask & (1 << id)) !== 0) || (connectionNamesOthers && head.isNamedByConnection(i))) {
      if (runStart >= 0) at = copyBytes(out, at, buf, runStart, lineStart)
      runStart = -1
    } else if (runStart < 0) {
      runStart = lineStart
    }
  }
  return runStart < 0 ? at : copyBytes(out, at, buf, runStart, head.fieldsEnd)
}

let scratch = Buffer.allocUnsafeSlow(32_768)

/** Room to compose a head of up to `bytes` in. One for the thread: it is copied out before the call ends. */
export function composeRoom(bytes: number): Buffer {
  if (scratch.length < bytes) scratch = Buffer.allocUnsafeSlow(bytes * 2)
  return scratch
}
