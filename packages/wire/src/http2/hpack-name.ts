import { FIELD_CLASS, fieldClass, fieldId, fieldIdOf } from '../http1/field-names.ts'
import { COLON, TOKEN } from '../http1/octets.ts'
import { fieldFlaw, type PseudoId, pseudoId } from './hpack-codes.ts'
import { STATIC_NAMES, type StaticName } from './static-table.ts'

const pseudoIds = new Map<string, PseudoId>([
  [':method', pseudoId.method],
  [':scheme', pseudoId.scheme],
  [':authority', pseudoId.authority],
  [':path', pseudoId.path],
  [':status', pseudoId.status],
  [':protocol', pseudoId.protocol],
])

// Their values are guarded from all but their own connection: an object shared with others would tell by its speed
// that somebody else sent the same (RFC 7541 §7.1).
const secretNames = new Set(['authorization', 'proxy-authorization', 'cookie', 'set-cookie', 'x-api-key'])

// Values that hardly come twice: in a table they only push out what recurs. After nghttp2's list, with those of gRPC
// and tracing.
const varyingNames = new Set([
  'age',
  'b3',
  'content-length',
  'etag',
  'grpc-timeout',
  'if-modified-since',
  'if-none-match',
  'traceparent',
  'x-correlation-id',
  'x-request-id',
])

const noStatics: StaticName = { index: 0, values: [] }

let names = 0

/** A field name and what is known of it: one object wherever the name recurs. */
export class HpackName {
  /** As it came. */
  readonly text: string
  /** `fieldId`, 0 for pseudo-fields and for names that are not sound. */
  readonly id: number
  readonly pseudo: PseudoId
  /** What the static table has of it. */
  readonly statics: StaticName
  /** Bits of `fieldFlaw` that the name alone brings. */
  readonly flaw: number
  /** Its values are seen by the connection that brought them and no other. */
  readonly secret: boolean
  /** Its values hardly ever recur. */
  readonly varying: boolean
  /** Different from that of other names, for look-ups by identity. */
  readonly serial: number

  constructor(text: string) {
    const octets = Buffer.from(text, 'latin1')
    const colon = octets[0] === COLON
    const sound = isLowerCaseToken(octets, colon ? 1 : 0)
    this.text = text
    this.id = sound && !colon ? fieldIdOf(octets, 0, octets.length) : fieldId.other
    this.pseudo = colon ? (pseudoIds.get(text) ?? pseudoId.unknown) : pseudoId.none
    this.statics = STATIC_NAMES.get(text) ?? noStatics
    const foreign = (FIELD_CLASS[this.id]! & fieldClass.hopByHop) !== 0 && this.id !== fieldId.te
    this.flaw = (sound ? 0 : fieldFlaw.badName) | (foreign ? fieldFlaw.connectionSpecific : 0)
    this.secret = secretNames.has(text)
    this.varying = varyingNames.has(text)
    names = (names + 1) | 0
    this.serial = names
  }
}

function isLowerCaseToken(octets: Uint8Array, start: number): boolean {
  for (let i = start; i < octets.length; i++) {
    const octet = octets[i]!
    if (TOKEN[octet] !== 1 || (octet >= 0x41 && octet <= 0x5a)) return false
  }
  return octets.length > start
}

/** The names of the static table, which live for ever. */
export const staticNames: ReadonlyMap<string, HpackName> = new Map(
  [...STATIC_NAMES.keys()].map((text) => [text, new HpackName(text)]),
)
