// Nanoseconds a header block: npm run bench hpack
import { type HeaderField, headerField } from '../../packages/wire/src/http2/header-field.ts'
import { type Indexing, indexing } from '../../packages/wire/src/http2/hpack-codes.ts'
import { HpackDecoder } from '../../packages/wire/src/http2/hpack-decoder.ts'
import { HpackEncoder } from '../../packages/wire/src/http2/hpack-encoder.ts'

const limits = { maxListBytes: 16_384, maxFields: 100 }
const rounds = Number(process.env.ROUNDS ?? 9)
const perRound = Number(process.env.PER_ROUND ?? 200_000)

/** What a gRPC client sends; how its path is indexed is what clients differ in. */
const grpcRequest = (path: Indexing): HeaderField[] => [
  headerField(':method', 'POST'),
  headerField(':scheme', 'http'),
  headerField(':path', '/sluice.echo.v1.Echo/Unary', path),
  headerField(':authority', '127.0.0.1:50051'),
  headerField('content-type', 'application/grpc'),
  headerField('user-agent', 'grpc-node-js/1.13.0'),
  headerField('te', 'trailers'),
  headerField('grpc-accept-encoding', 'identity,deflate,gzip'),
]

function measure(title: string, length: number, once: () => void, goal: number): void {
  const times: number[] = []
  for (let round = 0; round < rounds; round++) {
    const started = process.hrtime.bigint()
    for (let i = 0; i < perRound; i++) once()
    times.push(Number(process.hrtime.bigint() - started) / perRound)
  }
  times.sort((a, b) => a - b)
  const median = times[times.length >> 1]!
  console.log(
    `${title.padEnd(36)} ${length} B  median ${median.toFixed(0)} ns  best ${times[0]!.toFixed(0)} ns  goal ${goal} ns`,
  )
}

// Several connections in turn, as a proxy has them: what one has cached must not be all there is.
const connections = 16

function measureDecode(title: string, sent: readonly HeaderField[], goal: number): void {
  const blocks: Buffer[] = []
  const decoders: HpackDecoder[] = []
  const out: HeaderField[] = []
  for (let i = 0; i < connections; i++) {
    const encoder = new HpackEncoder()
    const decoder = new HpackDecoder()
    let block = Buffer.alloc(0)
    for (let n = 0; n < 2; n++) {
      const room = Buffer.alloc(encoder.bound(sent))
      block = room.subarray(0, encoder.encode(room, 0, sent))
      if (n === 0) decoder.decode(block, 0, block.length, out, limits)
    }
    blocks.push(block)
    decoders.push(decoder)
  }
  let at = 0
  // Some 50 ns of this are the growth of an array that was empty, which is the caller's.
  const once = (): void => {
    const block = blocks[at]!
    out.length = 0
    if (decoders[at]!.decode(block, 0, block.length, out, limits) !== 0) throw new Error(`${title} was refused`)
    if (++at === connections) at = 0
  }
  measure(`decode ${title}`, blocks[0]!.length, once, goal)
}

function measureEncode(title: string, sent: readonly HeaderField[], goal: number): void {
  const room = Buffer.alloc(4_096)
  const encoders = Array.from({ length: connections }, () => new HpackEncoder())
  for (const encoder of encoders) encoder.encode(room, 0, sent)
  let at = 0
  let length = 0
  const once = (): void => {
    const encoder = encoders[at]!
    if (encoder.bound(sent) > room.length) throw new Error(`${title} is too long`)
    length = encoder.encode(room, 0, sent)
    if (++at === connections) at = 0
  }
  once()
  measure(`encode ${title}`, length, once, goal)
}

const indexed = grpcRequest(indexing.incremental)
const rawPath = grpcRequest(indexing.without)
const trailers = [headerField('grpc-status', '0'), headerField('grpc-message', '')]

for (let pass = 0; pass < 2; pass++) {
  measureDecode('gRPC request, all indexed', indexed, 120)
  measureDecode('gRPC request, path a literal', rawPath, 200)
  measureDecode('gRPC trailers', trailers, 80)
  measureEncode('gRPC request, all indexed', indexed, 80)
  measureEncode('gRPC request, path a literal', rawPath, 100)
  measureEncode('gRPC trailers', trailers, 30)
}
