import { connect } from 'node:http2'
import { startScriptBackend } from '../backends/script.ts'
import { forwardedHeader, grpcMessage, grpcPath } from '../grpc-call.ts'
import { h2load } from '../load/h2load.ts'
import { scriptLoad } from '../load/load.ts'
import type { Case, Goal } from './case.ts'
import { betterThanNode, timesThatOf } from './goals.ts'

interface Answer {
  head: Record<string, unknown>
  body: string
  trailers: Record<string, unknown>
}

function callOnce(port: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const session = connect(`http://127.0.0.1:${port}`)
    const answer: Answer = { head: {}, body: '', trailers: {} }
    session.on('error', reject)
    session.setTimeout(5_000, () => session.destroy(new Error('the first call was not answered within 5 s')))
    const stream = session.request({
      ':method': 'POST',
      ':path': grpcPath,
      'content-type': 'application/grpc',
      te: 'trailers',
    })
    stream.on('error', reject)
    stream.on('response', (headers) => {
      answer.head = headers
    })
    stream.on('trailers', (trailers) => {
      answer.trailers = trailers
    })
    stream.setEncoding('latin1').on('data', (text: string) => {
      answer.body += text
    })
    stream.on('close', () => {
      session.close()
      resolve(answer)
    })
    stream.end(grpcMessage, 'latin1')
  })
}

/** A proxy that loses the trailers or leaves X-Forwarded-For out has less to do than the others. */
async function passesCalls(port: number): Promise<string | undefined> {
  const { head, body, trailers } = await callOnce(port)
  if (head[':status'] !== 200) return `the first call was answered with ${String(head[':status'])}`
  if (body !== grpcMessage) return 'the message of the first answer differs from what the backend sends'
  if (trailers['grpc-status'] !== '0') return 'it does not pass the trailers on'
  return head[forwardedHeader] === 'yes' ? undefined : 'it does not add X-Forwarded-For'
}

const common = { traffic: 'grpc', figure: 'cpu', rounds: 5 } as const satisfies Partial<Case>

function unary(connections: number, streams: number, goals: readonly Goal[]): Case {
  const shape = `${connections}x${streams}`
  const at = `${connections} connection${connections === 1 ? '' : 's'} × ${streams} stream${streams === 1 ? '' : 's'}`
  return {
    ...common,
    name: `grpc-${shape}`,
    title: `gRPC, unary, 20-byte messages, trailers, HTTP/2 on both sides, ${at} (h2load)`,
    unit: 'call',
    tools: ['taskset', 'h2load'],
    startBackend: (stage) => startScriptBackend(stage, new URL('../backends/grpc-frames.ts', import.meta.url)),
    check: passesCalls,
    load: h2load({ path: grpcPath, connections, streams, message: grpcMessage, responseBytes: grpcMessage.length }),
    goals: [...goals, timesThatOf('nginx', 1), betterThanNode(12)],
  }
}

/** Many calls at once on several connections. */
export const grpc16x32 = unary(16, 32, [timesThatOf('haproxy', 0.5)])
/** One call at a time on many connections: nothing to put into one write. */
export const grpc64x1 = unary(64, 1, [timesThatOf('haproxy', 0.8)])
/** A few connections, a few calls. */
export const grpc4x8 = unary(4, 8, [timesThatOf('haproxy', 1)])
/** All calls on one connection. */
export const grpc1x100 = unary(1, 100, [timesThatOf('haproxy', 1)])

/** Messages in long streams. */
export const grpcStreams: Case = {
  ...common,
  name: 'grpc-streams',
  title: 'gRPC, 20-byte messages echoed one at a time in 32 long streams, 4 connections (node:http2 at both ends)',
  unit: 'message',
  tools: ['taskset'],
  startBackend: (stage) => startScriptBackend(stage, new URL('../backends/grpc-echo.ts', import.meta.url)),
  load: scriptLoad(new URL('../load/grpc-streams.ts', import.meta.url), ['4', '8']),
  goals: [timesThatOf('nginx', 1)],
}

/** The client and server that Node users have. */
export const grpcJs: Case = {
  ...common,
  name: 'grpc-js',
  title: 'gRPC, unary, 20-byte messages, 4 channels × 8 calls (@grpc/grpc-js at both ends)',
  unit: 'call',
  tools: ['taskset'],
  startBackend: (stage) => startScriptBackend(stage, new URL('../backends/grpc-js.ts', import.meta.url)),
  load: scriptLoad(new URL('../load/grpc-js.ts', import.meta.url), ['4', '8']),
  // 2,000 calls a second: V8 has compiled what a call needs after 15,000 or so, and until then each costs the double.
  warmUpSeconds: 10,
  goals: [timesThatOf('nginx', 1)],
}
