import { FieldProblem } from './transcode-error.ts'

/** What all parts of one message may cost: about the octets of its JSON, four times those of the largest message. */
export const maxCost = 16 * 1024 ** 2

/** A message or a text in it: an empty one takes two octets on the wire, and an object or two in memory. */
export const messageCost = 128
/** A value in it, besides its text: a packed one takes one octet on the wire, and some 0.3 to 0.8 µs to write. */
export const valueCost = 24

/** The message costs more than it may. */
export class OverBudget extends FieldProblem {}

/**
 * What is left for the message that is being turned into JSON or made of it. Bounds the memory and the time that a few
 * octets can be blown up to; one for all messages of a codec, since each is done in one go.
 */
export class Budget {
  #left = maxCost

  /** A message begins. */
  renew(): void {
    this.#left = maxCost
  }

  /** Throws an OverBudget when it is more than is left. */
  spend(cost: number): void {
    this.#left -= cost
    if (this.#left < 0) throw new OverBudget('the message has too many parts for JSON')
  }
}
