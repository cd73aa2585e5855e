import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type ClientHttp2Session, connect } from 'node:http2'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { ask } from './support/http2-ask.ts'
import { findPython, skipWithout } from './support/program.ts'
import { type Passage, ways } from './support/way.ts'

const python = findPython('h2')
const script = fileURLToPath(new URL('./python/h2_upstream.py', import.meta.url))

for (const way of ways.filter(({ protocol }) => protocol !== 'grpc')) {
  describe(`An upstream of HTTP/2 that does what few do, ${way.name}`, () => {
    let server: ChildProcess
    let complaints = ''
    let passage: Passage
    let session: ClientHttp2Session

    before(async function () {
      if (python === undefined) skipWithout(this, 'python3-h2')
      server = spawn(python, [script], { stdio: ['pipe', 'pipe', 'pipe'] })
      server.stderr!.on('data', (chunk) => (complaints += String(chunk)))
      const [port] = (await once(server.stdout!, 'data')) as [Buffer]
      passage = await way.to([{ address: { host: '127.0.0.1', port: Number(port) } }], { speaks: 'h2c' })
    })

    beforeEach(() => {
      session = connect(`http://127.0.0.1:${passage.port}`).on('error', () => undefined)
    })

    afterEach(async () => {
      session.destroy()
      await passage.stage?.settled()
      expect(complaints).to.equal('')
    })

    after(async () => {
      if (server === undefined) return
      await passage.close()
      server.stdin!.end()
      await once(server, 'close')
    })

    it('pads its DATA by every length', async () => {
      const { head, body, reset } = await ask(session, '/padded')
      expect([head[':status'], body.length, reset]).to.deep.equal([200, 25_600, 0])
    })

    it('wants its PINGs acknowledged between DATA', async () => {
      const { body, reset } = await ask(session, '/ping')
      expect([body.length, reset]).to.deep.equal([11_000, 0])
    })

    it('sends END_STREAM late and alone', async () => {
      const { body, reset } = await ask(session, '/last-byte')
      expect([String(body), reset]).to.deep.equal(['hello', 0])
    })

    it('resets in the midst of a body', async () => {
      const { head, body, reset } = await ask(session, '/reset')
      expect([head[':status'], body.length]).to.deep.equal([200, 10_000])
      expect(reset).to.not.equal(0)
    })

    it('has informational answers, and trailers without a body', async () => {
      const { head, informational, trailers } = await ask(session, '/hints')
      expect(informational.map(({ link }) => link)).to.deep.equal(['</0>', '</1>'])
      expect([head[':status'], trailers['x-last']]).to.deep.equal([200, 'z'])
    })

    it('has a head of 12,000 bytes', async () => {
      const { head, body } = await ask(session, '/big-head')
      expect([head['x-filler-11'], String(body)]).to.deep.equal(['x'.repeat(1_000), 'big'])
    })

    it('shrinks the window of uploads', async () => {
      await ask(session, '/shrink')
      const uploads = Array.from({ length: 5 }, () => ask(session, '/upload', Buffer.alloc(200_000)))
      expect((await Promise.all(uploads)).map(({ body }) => String(body))).to.deep.equal(Array(5).fill('200000'))
    })

    if (way.protocol === undefined) return

    it('says GOAWAY, and the next requests find another connection', async () => {
      for (const path of ['/goaway', '/a', '/goaway-before', '/b', '/goaway', '/goaway-before', '/c']) {
        expect((await ask(session, path)).head[':status'], path).to.equal(200)
      }
    })

    it('says GOAWAY while many requests come', async () => {
      const paths = Array.from({ length: 60 }, (_, i) => (i === 19 ? '/goaway-before' : `/slow/${i}`))
      const answers = await Promise.all(paths.map((path) => ask(session, path)))
      expect(answers.map(({ head }) => head[':status'])).to.deep.equal(Array(60).fill(200))
    })

    it('refuses a stream, which is sent again', async () => {
      const answers = await Promise.all(Array.from({ length: 10 }, (_, i) => ask(session, `/refused-once/${i}`)))
      expect(answers.map(({ head }) => head[':status'])).to.deep.equal(Array(10).fill(200))
    })

    it('takes one stream at a time from now on', async () => {
      await ask(session, '/one-stream')
      const answers = await Promise.all(Array.from({ length: 30 }, (_, i) => ask(session, `/slow/${i}`)))
      expect(answers.map(({ head }) => head[':status'])).to.deep.equal(Array(30).fill(200))
      expect(answers.map(({ body }) => String(body))).to.deep.equal(Array(30).fill('1'))
    })
  })
}
