import {
  dataFrame,
  h2,
  headersFrame,
  type RawFields,
  requestFields,
} from '../../../packages/testkit/src/http2/index.ts'

/** A listener that is attacked, and what requests to it look like: the frames of one on the stream `id`. */
export interface Target {
  readonly listener: string
  /** Answered at once. */
  readonly request: (id: number) => Buffer
  /** Waits at a gate that is shut. */
  readonly held: (id: number) => Buffer
  /** Has a large answer. */
  readonly large: (id: number) => Buffer
  /** Has an answer whose head is large, where there can be one. */
  readonly wordy: (id: number) => Buffer
  /** Its body is awaited. */
  readonly upload: (id: number) => Buffer
  /** A body is awaited that is too long to be read before there is a permit. */
  readonly longUpload: (id: number) => Buffer
  /** The fields of a request, for who adds to them. */
  readonly fields: RawFields
}

const whole = (fields: RawFields) => (id: number) => headersFrame(id, fields)
const open = (fields: RawFields) => (id: number) => headersFrame(id, fields, h2.endHeaders)

const call = (method: string): RawFields =>
  requestFields(`/sluice.test.v1.Echo/${method}`, 'POST', [
    ['content-type', 'application/grpc'],
    ['te', 'trailers'],
  ])

// `{ behaviour: { responses: 100_000, responseBytes: 60_000 } }` of the echo service, as a message of gRPC.
const manyAnswers = Buffer.from([0, 0, 0, 0, 10, 0x1a, 8, 0x10, 0xa0, 0x8d, 0x06, 0x40, 0xe0, 0xd4, 0x03])

/** Both kinds of listeners. */
export const targets: readonly Target[] = [
  {
    listener: 'web',
    request: whole(requestFields('/status/200')),
    held: whole(requestFields('/held/')),
    large: whole(requestFields('/large/bytes/33554432')),
    wordy: whole(requestFields('/wordy')),
    upload: open(requestFields('/hash', 'POST')),
    longUpload: open(requestFields('/hash', 'POST', [['content-length', '1000000']])),
    fields: requestFields('/status/200'),
  },
  {
    listener: 'rpc',
    request: whole(call('Unary')),
    held: whole(requestFields('/held.Service/Method', 'POST', call('Unary').slice(4))),
    large: (id) => Buffer.concat([open(call('ServerStream'))(id), dataFrame(id, manyAnswers, { end: true })]),
    wordy: whole(call('Unary')),
    upload: open(call('ClientStream')),
    longUpload: open(call('ClientStream')),
    fields: call('Unary'),
  },
]
