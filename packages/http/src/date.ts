let text = ''
let second = -1

/** The date of now as HTTP writes it (RFC 9110 §5.6.7), made once a second. */
export function httpDate(): string {
  const now = Date.now()
  const nowSecond = Math.floor(now / 1_000)
  if (nowSecond !== second) {
    second = nowSecond
    text = new Date(now).toUTCString()
  }
  return text
}
