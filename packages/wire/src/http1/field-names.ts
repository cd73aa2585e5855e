/**
 * Small integers for the field names that a proxy acts on; 0 is every other name. All are below 31, so that
 * `1 << id` is a bit of `FieldBlock.seen`.
 */
export const fieldId = {
  other: 0,
  host: 1,
  contentLength: 2,
  transferEncoding: 3,
  connection: 4,
  keepAlive: 5,
  te: 6,
  expect: 7,
  upgrade: 8,
  trailer: 9,
  proxyConnection: 10,
  http2Settings: 11,
  proxyAuthenticate: 12,
  proxyAuthorization: 13,
  via: 14,
  forwarded: 15,
  xForwardedFor: 16,
  xForwardedProto: 17,
  xForwardedHost: 18,
  /** `X-Forwarded` and every `X-Forwarded-…` without an id of its own. */
  xForwardedOther: 19,
  xRealIp: 20,
  /** `X-Client-Cert` and every name that begins so. */
  xClientCert: 21,
  /** A name of the origin family with `_` for `-`, which CGI-like backends read as the same variable. */
  originAlias: 22,
  secWebSocketKey: 23,
  secWebSocketVersion: 24,
  secWebSocketProtocol: 25,
  secWebSocketExtensions: 26,
  secWebSocketAccept: 27,
  contentType: 28,
  date: 29,
  server: 30,
} as const

/** One of the numbers in `fieldId`. */
export type FieldId = (typeof fieldId)[keyof typeof fieldId]

/** Ids up to this one are read while the head is scanned (`FieldBlock.note`). */
export const LAST_NOTED_ID = fieldId.expect

/** What a proxy does with a field, by its id: one bit each. */
export const fieldClass = {
  /** Passed on as it is. */
  plain: 0,
  /** Meant for this connection only (RFC 9110 §7.6.1). */
  hopByHop: 1,
  /** Where the message ends (RFC 9112 §6); Transfer-Encoding is hop-by-hop as well. */
  framing: 2,
  /** Says where a request came from; believed from trusted peers only. */
  origin: 4,
  /** Credentials between a client and its proxy (RFC 9110 §11.7). */
  proxyAuth: 8,
} as const

/** The `fieldClass` bits of an id. */
export const FIELD_CLASS = new Uint8Array(31)
for (const id of [
  fieldId.connection,
  fieldId.keepAlive,
  fieldId.te,
  fieldId.upgrade,
  fieldId.proxyConnection,
  fieldId.http2Settings,
]) {
  FIELD_CLASS[id] = fieldClass.hopByHop
}
FIELD_CLASS[fieldId.contentLength] = fieldClass.framing
FIELD_CLASS[fieldId.transferEncoding] = fieldClass.framing | fieldClass.hopByHop
FIELD_CLASS[fieldId.proxyAuthenticate] = FIELD_CLASS[fieldId.proxyAuthorization] = fieldClass.proxyAuth
for (let id: number = fieldId.forwarded; id <= fieldId.originAlias; id++) FIELD_CLASS[id] = fieldClass.origin

function maskOf(bits: number): number {
  let mask = 0
  for (let id = 0; id < FIELD_CLASS.length; id++) if ((FIELD_CLASS[id]! & bits) !== 0) mask |= 1 << id
  return mask
}

/** The bits in `FieldBlock.seen` of all hop-by-hop fields: none set means that there is none to drop. */
export const HOP_BY_HOP_MASK: number = maskOf(fieldClass.hopByHop)
/** The bits in `FieldBlock.seen` of all origin fields. */
export const ORIGIN_MASK: number = maskOf(fieldClass.origin)

const known: readonly [string, FieldId][] = [
  ['host', fieldId.host],
  ['content-length', fieldId.contentLength],
  ['transfer-encoding', fieldId.transferEncoding],
  ['connection', fieldId.connection],
  ['keep-alive', fieldId.keepAlive],
  ['te', fieldId.te],
  ['trailer', fieldId.trailer],
  ['upgrade', fieldId.upgrade],
  ['expect', fieldId.expect],
  ['proxy-connection', fieldId.proxyConnection],
  ['http2-settings', fieldId.http2Settings],
  ['proxy-authenticate', fieldId.proxyAuthenticate],
  ['proxy-authorization', fieldId.proxyAuthorization],
  ['via', fieldId.via],
  ['forwarded', fieldId.forwarded],
  ['x-forwarded-for', fieldId.xForwardedFor],
  ['x-forwarded-proto', fieldId.xForwardedProto],
  ['x-forwarded-host', fieldId.xForwardedHost],
  ['x-real-ip', fieldId.xRealIp],
  ['sec-websocket-key', fieldId.secWebSocketKey],
  ['sec-websocket-version', fieldId.secWebSocketVersion],
  ['sec-websocket-protocol', fieldId.secWebSocketProtocol],
  ['sec-websocket-extensions', fieldId.secWebSocketExtensions],
  ['sec-websocket-accept', fieldId.secWebSocketAccept],
  ['content-type', fieldId.contentType],
  ['date', fieldId.date],
  ['server', fieldId.server],
]

const LONGEST = Math.max(...known.map(([name]) => name.length))

// Length, first and last octet tell all known names apart: a name that is not known costs one load as a rule.
const slotOf = (length: number, first: number, last: number): number => (length ^ first ^ ((last & 0x1f) << 4)) & 0xff

const slots = new Uint8Array(0x100)
const spellings: Uint8Array[] = []
for (const [name, id] of known) {
  const bytes = Buffer.from(name, 'latin1')
  const slot = slotOf(bytes.length, bytes[0]!, bytes[bytes.length - 1]!)
  if (slots[slot] !== 0) throw new Error(`field-names: ${name} shares its slot with another name`)
  slots[slot] = id
  spellings[id] = bytes
}
for (let id = 0; id < 31; id++) spellings[id] ??= new Uint8Array(0)

/**
 * The id of the field name in `buf[start, end)`, which must hold token octets only (RFC 9110 §5.1: in any letter case).
 */
export function fieldIdOf(buf: Uint8Array, start: number, end: number): number {
  const length = end - start
  const first = buf[start]! | 0x20
  if (length <= LONGEST) {
    const id = slots[slotOf(length, first, buf[end - 1]!)]!
    if (id !== 0) {
      const bytes = spellings[id]!
      if (bytes.length === length) {
        let i = 0
        while (i < length && (buf[start + i]! | 0x20) === bytes[i]) i++
        if (i === length) return id
      }
    }
  }
  return first === 0x78 && length >= 9 ? originFamily(buf, start, length) : fieldId.other
}

const originNames = ['x-forwarded', 'x-client-cert', 'x-real-ip'].map((name) => Buffer.from(name, 'latin1'))
const underscore = 0x5f
const hyphen = 0x2d

/** The id of an `X-…` name that has none of its own: by its beginning, with `_` taken for `-`. */
function originFamily(buf: Uint8Array, start: number, length: number): number {
  for (let family = 0; family < originNames.length; family++) {
    const prefix = originNames[family]!
    if (length < prefix.length) continue
    let i = 0
    while (i < prefix.length) {
      const octet = buf[start + i]!
      if ((octet === underscore ? hyphen : octet | 0x20) !== prefix[i]) break
      i++
    }
    if (i < prefix.length) continue
    if (family === 0 && i < length && buf[start + i] !== hyphen && buf[start + i] !== underscore) continue
    if (family === 2 && i < length) continue
    for (let k = 0; k < length; k++) if (buf[start + k] === underscore) return fieldId.originAlias
    return family === 0 ? fieldId.xForwardedOther : fieldId.xClientCert
  }
  return fieldId.other
}
