import { Code, ConnectError, type Transport } from '@connectrpc/connect'
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from '@connectrpc/connect-node'
import { Http2SessionManager } from '@connectrpc/connect-node'
import { expect } from 'chai'
import { randomBytesOf, startGrpcBackend } from '../../packages/backends/src/index.ts'
import { callEcho, startConnectEcho } from './support/connect-echo.ts'
import { type Passage, type Way, ways } from './support/way.ts'

type Version = '1.1' | '2'

/** A client, with the servers that speak its protocol; those in brackets only when Sluice translates. */
interface Row {
  readonly protocol: 'gRPC' | 'gRPC-Web' | 'Connect'
  readonly version: Version
  readonly server: 'grpc-js' | 'connect-node'
  /** Whether requests can be streams. */
  readonly streamsUp: boolean
  readonly needsSluice: boolean
}

const rows: readonly Row[] = [
  { protocol: 'gRPC', version: '2', server: 'grpc-js', streamsUp: true, needsSluice: false },
  { protocol: 'gRPC', version: '2', server: 'connect-node', streamsUp: true, needsSluice: false },
  { protocol: 'gRPC-Web', version: '2', server: 'connect-node', streamsUp: false, needsSluice: false },
  { protocol: 'gRPC-Web', version: '2', server: 'grpc-js', streamsUp: false, needsSluice: true },
  { protocol: 'gRPC-Web', version: '1.1', server: 'grpc-js', streamsUp: false, needsSluice: true },
  { protocol: 'Connect', version: '2', server: 'connect-node', streamsUp: true, needsSluice: false },
  { protocol: 'Connect', version: '1.1', server: 'connect-node', streamsUp: false, needsSluice: true },
]

function transportOf({ protocol, version }: Row, baseUrl: string): { transport: Transport; close: () => void } {
  if (version === '1.1') {
    const options = { baseUrl, httpVersion: version, nodeOptions: { agent: false as const } }
    const make = protocol === 'Connect' ? createConnectTransport : createGrpcWebTransport
    return { transport: make(options), close: () => undefined }
  }
  const sessionManager = new Http2SessionManager(baseUrl)
  const options = { baseUrl, httpVersion: version, sessionManager }
  const transport =
    protocol === 'gRPC'
      ? createGrpcTransport(options)
      : protocol === 'Connect'
        ? createConnectTransport(options)
        : createGrpcWebTransport(options)
  return { transport, close: () => sessionManager.abort() }
}

/** The error of a call that must fail. */
async function failure(call: Promise<unknown>): Promise<ConnectError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).to.be.instanceOf(ConnectError)
  return error as ConnectError
}

function suite(row: Row, way: Way): void {
  const { protocol, version, server, streamsUp } = row
  describe(`${protocol} of @connectrpc/connect-node over HTTP/${version}, ${way.name} to ${server}`, () => {
    let backend: Awaited<ReturnType<typeof startGrpcBackend>> | Awaited<ReturnType<typeof startConnectEcho>>
    let passage: Passage
    let transport: Transport
    let close: () => void

    before(async () => {
      backend = server === 'grpc-js' ? await startGrpcBackend() : await startConnectEcho('2')
      const listener = {
        ...(protocol === 'gRPC-Web' ? { web: { origins: ['*'] } } : {}),
        ...(protocol === 'Connect' && way.protocol === 'grpc' ? { other: 'pass' } : {}),
      }
      passage = await way.to([backend], { speaks: protocol === 'Connect' ? 'h2c' : 'grpc', listener })
    })

    beforeEach(() => {
      const made = transportOf(row, `http://127.0.0.1:${passage.port}`)
      transport = made.transport
      close = made.close
    })

    afterEach(async () => {
      close()
      await passage.stage?.settled()
    })

    after(async () => {
      await passage.close()
      await backend.close()
    })

    it('makes unary calls, with a payload', async () => {
      const payload = randomBytesOf(1_000_000, 3)
      const { messages } = await callEcho(transport, 'unary', [{ text: 'hé', payload }])
      expect(messages[0]!.text).to.equal('hé')
      expect(payload.equals(messages[0]!.payload)).to.equal(true)
    })

    it('reads streams of answers', async () => {
      const seen: bigint[] = []
      const behaviour = { responses: 30, delayMs: server === 'grpc-js' ? 2 : 0 }
      const { messages } = await callEcho(transport, 'serverStream', [{ text: 'a', behaviour }], {
        onMessage: ({ index }) => seen.push(index),
      })
      expect(messages.map(({ text }) => text)).to.deep.equal(Array.from({ length: 30 }, () => 'a'))
      expect(seen).to.deep.equal(Array.from({ length: 30 }, (_, i) => BigInt(i)))
    })

    if (streamsUp) {
      it('sends streams of messages', async () => {
        const up = await callEcho(transport, 'clientStream', [{ text: 'a' }, { text: 'b' }, { text: 'c' }])
        expect(up.messages[0]!.messages).to.equal(3n)
        const both = await callEcho(transport, 'bidi', [{ text: 'a' }, { text: 'b' }])
        expect(both.messages.map(({ text }) => text)).to.deep.equal(['a', 'b'])
      })
    }

    it('gets errors, with their message', async () => {
      const behaviour = { status: 9, statusMessage: '100 % — ünï' }
      const error = await failure(callEcho(transport, 'unary', [{ behaviour }]))
      expect([error.code, error.rawMessage]).to.deep.equal([Code.FailedPrecondition, '100 % — ünï'])
      const streamed = await failure(callEcho(transport, 'serverStream', [{ behaviour }]))
      expect([streamed.code, streamed.rawMessage]).to.deep.equal([Code.FailedPrecondition, '100 % — ünï'])
    })

    it('gets an error when its time is over', async () => {
      const behaviour = { delayMs: 2_000 }
      const error = await failure(callEcho(transport, 'unary', [{ behaviour }], { timeoutMs: 100 }))
      expect(error.code).to.equal(Code.DeadlineExceeded)
    })

    it('aborts', async () => {
      const aborter = new AbortController()
      const call = callEcho(transport, 'unary', [{ behaviour: { delayMs: 2_000 } }], { signal: aborter.signal })
      setTimeout(() => aborter.abort(), 30)
      expect((await failure(call)).code).to.equal(Code.Canceled)
    })

    it('makes 200 calls at once', async () => {
      const calls = Array.from({ length: 200 }, (_, i) =>
        callEcho(transport, 'unary', [{ text: `${i}`, behaviour: { delayMs: 20 } }]),
      )
      const answers = await Promise.all(calls)
      expect(answers.map(({ messages }) => messages[0]!.text)).to.deep.equal(answers.map((_, i) => `${i}`))
    })
  })
}

for (const way of ways) {
  for (const row of rows) if (way.protocol !== undefined || !row.needsSluice) suite(row, way)
}
