import { frame, h2, RawHttp2, settingsFrame } from '../../../../packages/testkit/src/http2/index.ts'
import { RawServer } from '../../../../packages/testkit/src/raw/index.ts'
import type { Stage } from '../../support/stage.ts'

/** A client of HTTP/2 whose SETTINGS say this; it is closed with the stage. */
export async function sessionWith(
  stage: Stage,
  settings: readonly (readonly [name: number, value: number])[] = [],
): Promise<RawHttp2> {
  const peer = new RawHttp2(await stage.client('web', { timeoutMs: 10_000 }))
  await peer.send(Buffer.from(h2.preface, 'latin1'), settingsFrame(...settings))
  await peer.next({ type: h2.settings })
  await peer.send(frame(h2.settings, { flags: h2.ack }))
  await peer.next({ type: h2.settings, flags: h2.ack })
  return peer
}

/** A client that lets nothing of a body come. */
export function windowless(stage: Stage): Promise<RawHttp2> {
  return sessionWith(stage, [[4, 0]])
}

/** An upstream whose connections a test takes one by one, and which leaves when the proxy does. */
export function takenServer(): Promise<RawServer> {
  return RawServer.start((connection) => void connection.ended.then(() => connection.close()), { timeoutMs: 20_000 })
}
