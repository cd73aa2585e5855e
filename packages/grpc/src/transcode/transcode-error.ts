import { maxDepth } from '../protobuf/reader.ts'
import type { StatusCode } from '../status.ts'

/** Why a request or an answer cannot be transcoded: a gRPC status and a sentence, which the caller may read. */
export class TranscodeError {
  readonly code: StatusCode
  readonly message: string

  constructor(code: StatusCode, message: string) {
    this.code = code
    this.message = message
  }
}

/** What is wrong with a value, and where in the message it stands. Thrown within the codec, told as a TranscodeError. */
export class FieldProblem extends Error {
  override readonly name = 'FieldProblem'
  /** Steps from the message to the value: names of fields, indices and keys in brackets. */
  readonly path: string[] = []

  /** The sentence, with the place before it. */
  get sentence(): string {
    const place = this.path.join('.').replaceAll('.[', '[')
    return place === '' ? this.message : `${place}: ${this.message}`
  }
}

/** Throws a FieldProblem when a message is nested deeper than any reader would take. */
export function notTooDeep(depth: number): void {
  if (depth > maxDepth) throw new FieldProblem(`is nested more than ${maxDepth} deep`)
}

/** Runs `work`, and notes the step that leads to what is wrong in it. */
export function within<T>(step: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof FieldProblem) error.path.unshift(step)
    throw error
  }
}
