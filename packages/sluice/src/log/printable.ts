// What clients send may hold anything. In a log it must neither end the line nor speak to the terminal: C0 and C1
// control characters, and DEL, are written out.
const unsafeInJson = /[\x00-\x1f"\\\x7f-\x9f\u2028\u2029]/
const unsafeOnTerminal = /[\x00-\x1f\x7f-\x9f\u2028\u2029]/

/** The longest text of a client's making that is logged, in characters. */
const maxLength = 2_048

const cut = (text: string): string => (text.length > maxLength ? `${text.slice(0, maxLength)}…` : text)

/** A text as a JSON string, quotes included. */
export function jsonString(text: string): string {
  const short = cut(text)
  return unsafeInJson.test(short) ? escapeJson(short) : `"${short}"`
}

function escapeJson(text: string): string {
  // JSON.stringify leaves DEL, the C1 set and the line separators as they are.
  return JSON.stringify(text).replace(
    /[\x7f-\x9f\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** A text for a terminal, control characters as `\x1b`. */
export function printable(text: string): string {
  const short = cut(text)
  if (!unsafeOnTerminal.test(short)) return short
  return short.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, (character) => {
    const code = character.charCodeAt(0)
    return code > 0xff ? `\\u${code.toString(16)}` : `\\x${code.toString(16).padStart(2, '0')}`
  })
}
