/** The static table (RFC 7541 Appendix A) as names and values, by index; 0 is no index. */
export const STATIC_TABLE: readonly (readonly [name: string, value: string])[] = [
  ['', ''],
  [':authority', ''],
  [':method', 'GET'],
  [':method', 'POST'],
  [':path', '/'],
  [':path', '/index.html'],
  [':scheme', 'http'],
  [':scheme', 'https'],
  [':status', '200'],
  [':status', '204'],
  [':status', '206'],
  [':status', '304'],
  [':status', '400'],
  [':status', '404'],
  [':status', '500'],
  ['accept-charset', ''],
  ['accept-encoding', 'gzip, deflate'],
  ['accept-language', ''],
  ['accept-ranges', ''],
  ['accept', ''],
  ['access-control-allow-origin', ''],
  ['age', ''],
  ['allow', ''],
  ['authorization', ''],
  ['cache-control', ''],
  ['content-disposition', ''],
  ['content-encoding', ''],
  ['content-language', ''],
  ['content-length', ''],
  ['content-location', ''],
  ['content-range', ''],
  ['content-type', ''],
  ['cookie', ''],
  ['date', ''],
  ['etag', ''],
  ['expect', ''],
  ['expires', ''],
  ['from', ''],
  ['host', ''],
  ['if-match', ''],
  ['if-modified-since', ''],
  ['if-none-match', ''],
  ['if-range', ''],
  ['if-unmodified-since', ''],
  ['last-modified', ''],
  ['link', ''],
  ['location', ''],
  ['max-forwards', ''],
  ['proxy-authenticate', ''],
  ['proxy-authorization', ''],
  ['range', ''],
  ['referer', ''],
  ['refresh', ''],
  ['retry-after', ''],
  ['server', ''],
  ['set-cookie', ''],
  ['strict-transport-security', ''],
  ['transfer-encoding', ''],
  ['user-agent', ''],
  ['vary', ''],
  ['via', ''],
  ['www-authenticate', ''],
]

/** The last index of the static table; the dynamic table begins after it (RFC 7541 §2.3.3). */
export const LAST_STATIC_INDEX = 61

/** What the static table knows of one name. */
export interface StaticName {
  /** The lowest index with this name. */
  readonly index: number
  /** Its values: that of `index` and of those right after it. */
  readonly values: readonly string[]
}

const byName = new Map<string, { index: number; values: string[] }>()
for (let index = 1; index <= LAST_STATIC_INDEX; index++) {
  const [name, value] = STATIC_TABLE[index]!
  const known = byName.get(name)
  if (known === undefined) byName.set(name, { index, values: [value] })
  else known.values.push(value)
}

/** All names of the static table. */
export const STATIC_NAMES: ReadonlyMap<string, StaticName> = byName
