import { expect } from 'chai'
import { answers, type ErrorCode, errorCodes, ProxyError, refusals } from '../src/errors.ts'

// The table of CONTRACT.md, "What a refused or failed unit gets": HTTP, gRPC, WebSocket after the 101, TCP. A dash
// stands where a failure cannot happen or the protocol has no say.
const contract = `
queueFull            503 14 -    close retry
queueTimeout         503 14 -    close retry
rateLimited          429 8  1008 close retry
breakerOpen          503 14 1013 close retry
noEndpoint           503 14 1013 close retry
overloaded           503 14 1013 close retry
connectFailed        502 14 1014 reset
upstreamReset        502 14 1014 reset
connectTimeout       504 14 -    reset
responseTimeout      504 4  -    reset
idleTimeout          504 14 1001 close
deadlineExceeded     504 4  -    -
upstreamInvalid      502 13 1014 -
badRequest           400 -  1002 -
requestTimeout       408 14 -    close
headTooLarge         431 8  1009 -
uriTooLong           414 8  1009 -
bodyTooLarge         413 8  1009 -
unsupported          415 12 -    -
upgradeRequired      426 12 -    -
expectationFailed    417 12 -    -
misdirected          421 12 -    -
methodNotAllowed     405 12 -    -
notImplemented       501 12 -    -
version              505 12 -    -
unauthenticated      401 16 1008 close
denied               403 7  1008 close
noRoute              404 12 -    close
loop                 508 13 -    -
draining             503 14 1001 close
internal             500 13 1011 reset
clientGone           499 1  -    -
`
const rows = contract
  .trim()
  .split('\n')
  .map(
    (line) =>
      line.split(/ +/) as [code: ErrorCode, http: string, grpc: string, ws: string, tcp: string, retry?: string],
  )

describe('the table of errors', () => {
  it('has exactly the codes of the contract', () => {
    expect(errorCodes).to.deep.equal(rows.map(([code]) => code))
  })

  for (const [code, http, grpc, webSocket, tcp, retry] of rows) {
    it(`answers ${code} as the contract says`, () => {
      const answer = answers[code]
      expect(answer.http).to.equal(Number(http))
      if (grpc !== '-') expect(answer.grpc).to.equal(Number(grpc))
      if (webSocket !== '-') expect(answer.websocket).to.equal(Number(webSocket))
      if (tcp !== '-') expect(answer.tcp).to.equal(tcp)
      // Only who may be luckier later is told when to come again.
      expect(answer.retryAfter).to.equal(retry === 'retry')
    })
  }

  it('has only statuses that its protocols know', () => {
    for (const code of errorCodes) {
      const { http, grpc, websocket } = answers[code]
      expect(http, code).to.be.within(400, 599)
      expect(grpc, code).to.be.within(1, 16)
      // RFC 6455 §7.4.1 and the IANA registry: 1004 to 1006 and 1015 never go over the wire.
      if (websocket !== undefined) expect([1001, 1002, 1008, 1009, 1011, 1013, 1014], code).to.include(websocket)
    }
  })

  it('blames the upstream for what the upstream did', () => {
    const upstreams = errorCodes.filter((code) => answers[code].source === 'upstream')
    expect(upstreams).to.have.members([
      'connectFailed',
      'upstreamReset',
      'connectTimeout',
      'responseTimeout',
      'idleTimeout',
      'upstreamInvalid',
    ])
  })
})

describe('ProxyError', () => {
  it('says by itself only that nothing was sent, on a fresh connection, and that nobody refused it', () => {
    const error = new ProxyError('connectFailed', 'refused')
    expect([error.progress, error.reusedConnection, error.cause]).to.deep.equal(['nothingSent', false, undefined])
    expect([error.refused, new ProxyError('upstreamReset', '', { refused: true }).refused]).to.deep.equal([false, true])
    expect([error.source, error.answer]).to.deep.equal(['upstream', answers.connectFailed])
  })

  it('is made once for each refusal that has no facts of its own', () => {
    for (const [code, refusal] of Object.entries(refusals)) expect(refusal.code).to.equal(code)
  })
})
