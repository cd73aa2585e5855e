// node grpc-js.ts PORT SECONDS CHANNELS CALLS: unary calls of @grpc/grpc-js in a closed loop, so many at once on each of
// the channels.
import { Client, credentials } from '@grpc/grpc-js'
import { say } from '../backends/grpc-say.ts'
import type { LoadResult } from './load.ts'
import { Samples } from './samples.ts'

const [port = 0, seconds = 5, channels = 4, callsEach = 8] = process.argv.slice(2).map(Number)
const message = Buffer.alloc(20, 'x')
const microseconds = () => performance.now() * 1000
const samples = new Samples()
const clients: Client[] = []
let running = true
let invalid: string | undefined

function call(client: Client): void {
  const sentAt = microseconds()
  client.makeUnaryRequest(
    say.path,
    say.requestSerialize,
    say.responseDeserialize,
    message,
    { deadline: Date.now() + 10_000 },
    (error, value) => {
      if (!running) return
      if (error !== null) invalid ??= error.message
      else if (value === undefined || !value.equals(message)) invalid ??= 'an answer differs from what was sent'
      if (invalid !== undefined) return finish()
      samples.add(microseconds() - sentAt)
      call(client)
    },
  )
}

const startedAt = microseconds()
function finish(): void {
  if (!running) return
  running = false
  const result: LoadResult = {
    requests: samples.count,
    seconds: (microseconds() - startedAt) / 1e6,
    bytes: samples.count * message.length,
    latency: samples.summary(),
  }
  if (invalid !== undefined) result.invalid = invalid
  console.log(JSON.stringify(result))
  process.exit(0)
}

for (let at = 0; at < channels; at++) {
  // Channels of one process share their connection unless told otherwise.
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 })
  clients.push(client)
  for (let started = 0; started < callsEach; started++) call(client)
}
setTimeout(finish, seconds * 1000)
