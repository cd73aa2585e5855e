import { maxDepth } from '../protobuf/reader.ts'
import { maxCost, messageCost, OverBudget, valueCost } from './budget.ts'
import { FieldProblem } from './transcode-error.ts'

/** A list or an object, which takes two octets in a body. */
const listCost = 64
/** Every value and key of a body with long numbers, since each is looked at by itself, in 1 to 2 µs. */
const lookCost = messageCost
/** The digits from which on a whole number may be beyond 2^53. */
const manyDigits = 16
/** A list or a map stands between two messages at most. */
const maxLevels = 3 * maxDepth

const quote = 0x22
const backslash = 0x5c

/**
 * Looks through JSON before it is read, which may take a hundred times as long and 400 octets of memory for each part.
 * Throws an OverBudget when they are more than any message may have, and a FieldProblem when they are nested deeper than
 * any may be; what is no JSON passes. Tells whether there are numbers that a double may not hold.
 */
export function lookThrough(json: Uint8Array): boolean {
  let lists = 0
  let separators = 0
  let levels = 0
  let digits = 0
  let long = false
  for (let i = 0; i < json.length; i++) {
    const octet = json[i]!
    if (octet >= 0x30 && octet <= 0x39) {
      if (++digits === manyDigits) long = true
      continue
    }
    // Those of a fraction do not count.
    digits = octet === 0x2e ? -Infinity : 0
    switch (octet) {
      case quote:
        i = endOfText(json, i + 1)
        break
      case 0x5b: // [
      case 0x7b: // {
        lists++
        if (++levels > maxLevels) throw new FieldProblem(`the body is nested more than ${maxDepth} deep`)
        break
      case 0x5d: // ]
      case 0x7d: // }
        levels--
        break
      case 0x2c: // ,
      case 0x3a: // :
        separators++
    }
  }
  if (lists * listCost + separators * (long ? lookCost : valueCost) > maxCost) {
    throw new OverBudget('the body has too many parts for a message')
  }
  return long
}

/** Where the quote is that ends a text. */
function endOfText(json: Uint8Array, from: number): number {
  let at = from
  while (at < json.length && json[at] !== quote) at += json[at] === backslash ? 2 : 1
  return at
}
