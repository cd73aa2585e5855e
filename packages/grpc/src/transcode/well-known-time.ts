import { type ProtobufReader, wireType } from '../protobuf/reader.ts'
import { ProtobufWriter } from '../protobuf/writer.ts'
import type { Json } from './json.ts'
import { eachKnownField, type WellKnown } from './well-known.ts'
import { FieldProblem } from './transcode-error.ts'

const minTimestamp = -62_135_596_800n // 0001-01-01
const maxTimestamp = 253_402_300_799n // 9999-12-31
const maxDuration = 315_576_000_000n // 10,000 years

/** google.protobuf.Timestamp: RFC 3339, in UTC when written. */
export const timestamp: WellKnown = {
  toJson(message): Json {
    const { seconds, nanos } = read(message)
    if (seconds < minTimestamp || seconds > maxTimestamp || nanos < 0 || nanos > 999_999_999) {
      throw new FieldProblem('is no timestamp from year 1 to 9999')
    }
    return `${new Date(Number(seconds) * 1_000).toISOString().slice(0, 19)}${fraction(nanos)}Z`
  },
  fromJson(json): Buffer {
    const pattern = /^(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[-+]\d\d:\d\d)$/
    const [, date, time, digits = '', zone = 'Z'] = (typeof json === 'string' && pattern.exec(json)) || []
    const ms = Date.parse(`${date}T${time}${zone.toUpperCase()}`)
    // Date.parse lets the 30th of February be the first of March, or so.
    const valid = !Number.isNaN(ms) && new Date(`${date}T${time}Z`).toISOString().startsWith(`${date}T${time}`)
    const seconds = valid ? BigInt(Math.floor(ms / 1_000)) : minTimestamp - 1n
    if (seconds < minTimestamp || seconds > maxTimestamp) {
      throw new FieldProblem('must be a timestamp such as "2026-01-31T12:00:00Z"')
    }
    return write(seconds, Number(digits.padEnd(9, '0')))
  },
}

/** google.protobuf.Duration: seconds with a fraction, and `s`. */
export const duration: WellKnown = {
  toJson(message): Json {
    const { seconds, nanos } = read(message)
    const mixed = (seconds < 0n && nanos > 0) || (seconds > 0n && nanos < 0)
    if (mixed || seconds > maxDuration || seconds < -maxDuration || Math.abs(nanos) > 999_999_999) {
      throw new FieldProblem('is no duration of up to 10,000 years')
    }
    const sign = seconds < 0n || nanos < 0 ? '-' : ''
    return `${sign}${seconds < 0n ? -seconds : seconds}${fraction(Math.abs(nanos))}s`
  },
  fromJson(json): Buffer {
    const found = typeof json === 'string' ? /^(-?)(\d{1,12})(?:\.(\d{1,9}))?s$/.exec(json) : null
    const seconds = BigInt(found?.[2] ?? maxDuration + 1n)
    if (seconds > maxDuration) throw new FieldProblem('must be a duration such as "1.5s"')
    const nanos = Number((found?.[3] ?? '').padEnd(9, '0'))
    return found?.[1] === '-' ? write(-seconds, -nanos) : write(seconds, nanos)
  },
}

/** Nothing, or three, six or nine digits. */
function fraction(nanos: number): string {
  if (nanos === 0) return ''
  return `.${String(nanos)
    .padStart(9, '0')
    .replace(/(000){1,2}$/, '')}`
}

function read(message: Buffer): { seconds: bigint; nanos: number } {
  const found = { seconds: 0n, nanos: 0 }
  eachKnownField(message, (reader: ProtobufReader, number, type) => {
    if (type !== wireType.varint || number > 2) return false
    if (number === 1) found.seconds = BigInt.asIntN(64, reader.uint64())
    else found.nanos = reader.uint32() | 0
    return true
  })
  return found
}

function write(seconds: bigint, nanos: number): Buffer {
  const writer = new ProtobufWriter()
  if (seconds !== 0n) writer.tag(1, wireType.varint).uint64(seconds)
  if (nanos !== 0) writer.tag(2, wireType.varint).uint64(BigInt(nanos))
  return writer.finish()
}
