import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import {
  create,
  createFileRegistry,
  type DescMessage,
  type DescMethod,
  type DescMethodStreaming,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
} from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { ConnectError, type ConnectRouter, type HandlerContext, type Transport } from '@connectrpc/connect'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import { DescriptorIndex } from '../../../packages/backends/src/index.ts'

/** `sluice.test.v1.Echo` as Connect describes services, from our `.proto` file and without generated code. */
const service = (() => {
  const files = new DescriptorIndex(['sluice.test.v1.Echo']).all
  // A FileDescriptorSet is the files, each as field 1.
  const set = Buffer.concat(files.flatMap((file) => [Buffer.from([0x0a]), varint(file.length), file]))
  return createFileRegistry(fromBinary(FileDescriptorSetSchema, set)).getService('sluice.test.v1.Echo')!
})()

function varint(value: number): Buffer {
  const bytes: number[] = []
  for (; value > 127; value >>>= 7) bytes.push((value & 127) | 128)
  return Buffer.from([...bytes, value])
}

/** The fields of a message of the echo service, whichever it is. */
export interface EchoMessage {
  readonly text: string
  readonly payload: Uint8Array
  readonly index: bigint
  readonly messages: bigint
}

/** What a call of the Connect client gave; it rejects with a `ConnectError`. */
export interface ConnectAnswer {
  readonly header: Headers
  readonly trailer: Headers
  readonly messages: readonly EchoMessage[]
}

/** How a call of the Connect client is made. */
export interface ConnectCall {
  readonly timeoutMs?: number
  readonly headers?: Record<string, string>
  readonly signal?: AbortSignal
  /** Learns of each answer as it comes. */
  readonly onMessage?: (message: EchoMessage) => void
}

/** Calls a method of the echo service through a transport of Connect. */
export async function callEcho(
  transport: Transport,
  name: 'unary' | 'clientStream' | 'serverStream' | 'bidi',
  requests: readonly object[],
  { timeoutMs = 15_000, headers, signal, onMessage }: ConnectCall = {},
): Promise<ConnectAnswer> {
  const method = service.method[name]!
  const inits = requests as MessageInitShape<DescMessage>[]
  if (method.methodKind === 'unary') {
    const unary = method as DescMethodUnary
    const { header, trailer, message } = await transport.unary(unary, signal, timeoutMs, headers, inits[0]!)
    return { header, trailer, messages: [message as unknown as EchoMessage] }
  }
  const streaming = method as DescMethodStreaming
  const { header, trailer, message } = await transport.stream(streaming, signal, timeoutMs, headers, each(inits))
  const messages: EchoMessage[] = []
  for await (const one of message as unknown as AsyncIterable<EchoMessage>) {
    messages.push(one)
    onMessage?.(one)
  }
  return { header, trailer, messages }
}

async function* each<T>(list: readonly T[]): AsyncIterable<T> {
  yield* list
}

interface Request extends EchoMessage {
  readonly behaviour?: { readonly delayMs: number; readonly responses: number; readonly status: number }
}

const answerTo = (method: DescMethod, fields: object) => create(method.output, fields as never)

/** Fails when the request asks for it; the status comes with a trailer. */
async function behave({ behaviour }: Request, context: HandlerContext): Promise<void> {
  context.responseHeader.set('x-first', context.requestHeader.get('x-sent') ?? '')
  context.responseTrailer.set('x-last', 'z')
  if (behaviour === undefined) return
  if (behaviour.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, behaviour.delayMs))
  if (behaviour.status > 0) throw new ConnectError('100 % — ünï', behaviour.status, { 'x-last': 'z' })
}

function routes(router: ConnectRouter): void {
  const { unary, clientStream, serverStream, bidi } = service.method
  router.rpc(unary as DescMethodUnary, async (message, context) => {
    const request = message as unknown as Request
    await behave(request, context)
    return answerTo(unary!, { text: request.text, payload: request.payload })
  })
  router.rpc(
    clientStream as DescMethodStreaming<DescMessage, DescMessage> & { methodKind: 'client_streaming' },
    (async (requests: AsyncIterable<Request>) => {
      let messages = 0n
      for await (const _ of requests) messages++
      return answerTo(clientStream!, { messages })
    }) as never,
  )
  router.rpc(
    serverStream as DescMethod & { methodKind: 'server_streaming' },
    async function* (request: Request, context: HandlerContext) {
      await behave(request, context)
      for (let i = 0; i < (request.behaviour?.responses ?? 1); i++) {
        yield answerTo(serverStream!, { text: request.text, index: BigInt(i) })
      }
    } as never,
  )
  router.rpc(
    bidi as DescMethod & { methodKind: 'bidi_streaming' },
    async function* (requests: AsyncIterable<Request>) {
      let index = 0n
      for await (const { text } of requests) yield answerTo(bidi!, { text, index: index++ })
    } as never,
  )
}

/** A server on Connect's own code; it speaks gRPC, gRPC-Web and Connect. */
export interface ConnectServer {
  readonly address: { readonly host: string; readonly port: number }
  close(): Promise<void>
}

/** Starts the echo service on Connect, over HTTP/2 by prior knowledge or over HTTP/1.1. */
export async function startConnectEcho(version: '1.1' | '2'): Promise<ConnectServer> {
  const handler = connectNodeAdapter({ routes })
  const server = version === '2' ? createHttp2Server(handler) : createHttpServer(handler)
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    address: { host: '127.0.0.1', port },
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
