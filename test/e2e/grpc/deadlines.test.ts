// `grpc-timeout`: what Sluice does when a call's deadline passes, and what of it goes up.
import { expect } from 'chai'
import {
  dataFrame,
  h2,
  headersFrame,
  type RawFields,
  type RawFrame,
  RawHttp2,
} from '../../../packages/testkit/src/http2/index.ts'
import { eventually, RawServer } from '../../../packages/testkit/src/raw/index.ts'
import { GrpcScene, type SceneWritten } from './support/grpc-scene.ts'
import { callHead, echo, framed, valueOf, wholeCall } from './support/messages.ts'

const timeout = (value: string, more: RawFields = []): { more: RawFields } => ({
  more: [['grpc-timeout', value], ...more],
})
const answered: RawFields = [
  [':status', '200'],
  ['content-type', 'application/grpc'],
  ['grpc-status', '0'],
]

for (const threads of [0, 2]) {
  describe(`the deadline of a call, ${threads} threads`, () => {
    let scene: GrpcScene
    let peer: RawHttp2

    const open = async (written: SceneWritten = {}): Promise<void> => {
      scene = await GrpcScene.start({ threads, ...written })
      peer = await scene.raw()
    }

    const openRaw = async (upstream: object = {}): Promise<RawServer> => {
      const server = await RawServer.start()
      await open({ upstream: { endpoints: [`grpc://127.0.0.1:${server.port}`], ...upstream } })
      scene.closesFirst(server)
      return server
    }

    afterEach(async () => {
      await scene.close()
    })

    const exceeded = async (id: number): Promise<void> => {
      const { fields, flags } = await peer.next({ type: h2.headers, id })
      expect(flags & h2.endStream).to.equal(h2.endStream)
      expect(valueOf(fields!, 'grpc-status')).to.equal('4')
      expect(valueOf(fields!, 'x-sluice-reason')).to.equal('deadlineExceeded')
    }

    it('passes in the queue: the call is answered 4 and never sent', async () => {
      await open({ upstream: { gate: { limit: 1, queue: 5, timeout: '10s' } } })
      await scene.longCall()
      const started = performance.now()
      await peer.send(wholeCall(1, timeout('500m')))
      await scene.stage.atGate('upstream:shop', { waiting: 1 })
      await exceeded(1)
      expect(performance.now() - started).to.be.within(499, 5_000)
      expect(scene.stage.gate('upstream:shop')).to.include({ running: 1, waiting: 0 })
      await scene.stage.leave()
      expect(scene.backend.stats().total).to.equal(1)
    })

    // The rest is the business of one thread.
    if (threads > 0) return

    it('passes while it runs: the upstream is reset with CANCEL, the caller gets 4', async () => {
      const server = await openRaw()
      await peer.send(wholeCall(1, timeout('500m')))
      const upstream = await RawHttp2.accept(await server.accept())
      const { id } = await upstream.next({ type: h2.headers })
      await exceeded(1)
      const reset = await upstream.next({ type: h2.rstStream, id })
      expect(reset.payload.readUInt32BE()).to.equal(8)
    })

    it('passes in mid-stream: the caller gets what came, then 4 as trailers', async () => {
      const server = await openRaw()
      await peer.send(wholeCall(1, timeout('500m')))
      const upstream = await RawHttp2.accept(await server.accept())
      const { id } = await upstream.next({ type: h2.headers })
      await upstream.send(
        headersFrame(id, answered.slice(0, 2), h2.endHeaders),
        dataFrame(id, framed(Buffer.from('abc'))),
      )
      const { content, trailers } = await peer.message(1)
      expect(content).to.deep.equal(framed(Buffer.from('abc')))
      expect(valueOf(trailers, 'grpc-status')).to.equal('4')
      expect((await upstream.next({ type: h2.rstStream, id })).payload.readUInt32BE()).to.equal(8)
    })

    it('passes for a caller that sends on', async () => {
      const server = await openRaw()
      await peer.send(callHead(1, `/${echo}/ClientStream`, [['grpc-timeout', '500m']]))
      const upstream = await RawHttp2.accept(await server.accept())
      await exceeded(1)
      expect((await peer.next({ type: h2.rstStream, id: 1 })).payload.readUInt32BE()).to.equal(0)
      expect((await upstream.next({ type: h2.rstStream })).payload.readUInt32BE()).to.equal(8)
    })

    it('has passed at once when it is nothing: the call is never sent', async () => {
      await open()
      await peer.send(wholeCall(1, timeout('0S')))
      await exceeded(1)
      expect(scene.backend.stats().total).to.equal(0)
    })

    it('may be further away than any timer reaches', async () => {
      const server = await openRaw()
      const far = ['99999999H', '99999999M', '99999999S', '99999999m']
      await peer.send(...far.map((value, i) => wholeCall(1 + 2 * i, timeout(value))), wholeCall(9, timeout('500m')))
      const upstream = await RawHttp2.accept(await server.accept())
      const calls: RawFrame[] = []
      for (const _ of far) calls.push(await upstream.next({ type: h2.headers }))
      await exceeded(9)
      for (const [i, value] of far.entries()) {
        const { id, fields } = calls[i]!
        expect(valueOf(fields!, 'grpc-timeout')).to.match(/^\d{8}[HMSm]$/)
        await upstream.send(headersFrame(id, answered))
        const answer = await peer.next({ type: h2.headers, id })
        expect(valueOf(answer.fields!, 'grpc-status'), value).to.equal('0')
      }
    })

    it('goes up as it came where nothing was waited for, and as what is left of it after a wait', async () => {
      const server = await openRaw({ gate: { limit: 1, queue: 5, timeout: '10s' } })
      await peer.send(wholeCall(1, timeout('20S')), wholeCall(3, timeout('20S')))
      const upstream = await RawHttp2.accept(await server.accept())
      const first = await upstream.next({ type: h2.headers })
      const msOf = (fields: RawFields | undefined) => {
        const [, amount, unit] = /^(\d{1,8})([Smun])$/.exec(valueOf(fields!, 'grpc-timeout')!)!
        return Number(amount) * { S: 1e3, m: 1, u: 1e-3, n: 1e-6 }[unit as 'S']
      }
      expect(msOf(first.fields)).to.be.within(15_000, 20_000)
      await peer.send(wholeCall(5, timeout('500m')))
      await exceeded(5)
      await upstream.send(headersFrame(first.id, answered))
      const second = await upstream.next({ type: h2.headers })
      expect(msOf(second.fields)).to.be.within(10_000, 20_000 - 499)
      await upstream.send(headersFrame(second.id, answered))
      await peer.next({ type: h2.headers, id: 3 })
    })

    it('leaves no timer behind', async () => {
      await open({ upstream: { pool: { idleTimeout: '100ms' } } })
      await peer.send(wholeCall(1, timeout('1H')))
      expect(valueOf((await peer.message(1)).trailers, 'grpc-status')).to.equal('0')
      await peer.send(wholeCall(3, timeout('1H', [['x-misbehave', 'hang']])))
      await eventually(() => scene.backend.stats().running === 1)
      await peer.close()
      await scene.backendIdle()
      await eventually(() => scene.stage.stats.timers === 0)
    })
  })
}
