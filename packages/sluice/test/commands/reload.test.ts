import { once } from 'node:events'
import { renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { expect } from 'chai'
import { type Backend, startHttpBackend } from '@sluice/backends'
import { eventually, RawClient } from '../../../testkit/src/raw/index.ts'
import { Authority } from '../../../../test/e2e/support/certificates.ts'
import { change } from '../support/ask-admin.ts'
import { type Command, sluice, withFiles } from '../support/command.ts'

/** A configuration with one route of its own, whose answer tells which one holds. */
const config = (backend: Backend, { answer = 'one', more = '', limit = 2 } = {}) => `log: { level: info }
drainTimeout: 10s
threads: 2
admin: { bind: "127.0.0.1:0" }
listeners:
  web:
    bind: "127.0.0.1:0"
    protocol: http
    routes:
      - { name: which, match: { path: /which }, respond: { body: ${answer} } }
      - { name: app, upstream: app, gate: { limit: ${limit}, queue: 1000, timeout: 20s } }
upstreams:
  app: { endpoints: ["127.0.0.1:${backend.address.port}"] }
${more}`

interface Running {
  readonly command: Command
  readonly cwd: string
  readonly port: number
  /** Writes the file in place. */
  write(text: string): void
  /** What the route of its own answers. */
  which(): Promise<string>
}

describe('a reload of sluice run', () => {
  let backend: Backend
  before(async () => {
    backend = await startHttpBackend()
  })
  after(() => backend.close())

  async function running(args: readonly string[], use: (running: Running) => Promise<void>): Promise<void> {
    await withFiles({ 'sluice.yaml': config(backend) }, async (cwd) => {
      const command = sluice(['run', ...args], { cwd })
      try {
        const port = await command.port('web')
        await use({
          command,
          cwd,
          port,
          write: (text) => writeFileSync(join(cwd, 'sluice.yaml'), text),
          which: async () => await (await fetch(`http://127.0.0.1:${port}/which`)).text(),
        })
      } finally {
        command.child.kill('SIGKILL')
        await command.exit
      }
    })
  }

  const reloads = (command: Command) => command.lines.filter(({ msg }) => /reloaded/.test(String(msg)))

  describe('on SIGHUP', () => {
    it('takes the file as it is now, and says so in one line', async () => {
      await running([], async ({ command, write, which }) => {
        expect(await which()).to.equal('one')
        write(config(backend, { answer: 'two' }))
        command.child.kill('SIGHUP')
        const line = await command.says(/reloaded/)
        expect(line).to.include({ level: 'info', generation: 2 }).and.to.deep.include({ needRestart: [] })
        expect(line['msg']).to.match(/^sluice\.yaml reloaded \(SIGHUP\) in \d+ ms: generation 2$/)
        expect(await which()).to.equal('two')
        expect(reloads(command)).to.have.length(1)
      })
    })

    it('leaves everything as it is for a file with mistakes, and tells them all with their places', async () => {
      await running([], async ({ command, write, which }) => {
        write(config(backend, { answer: 'two', more: 'wrong: 1' }).replace('limit: 2', 'limit: 0'))
        command.child.kill('SIGHUP')
        const line = await command.says(/not reloaded/)
        expect(line).to.include({ level: 'error', generation: 1 })
        const text = String(line['msg'])
        expect(text).to.match(/^sluice\.yaml was not reloaded \(SIGHUP\), generation 1 stays:\n/)
        expect(text).to.match(/^sluice\.yaml:11:\d+ listeners\.web\.routes\[1\]\.gate\.limit: The number `0` must be/m)
        expect(text).to.match(/^sluice\.yaml:14:1 wrong: The key `wrong` is not known\.$/m)
        expect(text).to.match(/^sluice\.yaml: 2 mistakes$/m)
        expect(await which()).to.equal('one')
        write(config(backend, { answer: 'three' }))
        command.child.kill('SIGHUP')
        await command.says(/reloaded \(SIGHUP\) in \d+ ms: generation 2/)
        expect(await which()).to.equal('three')
      })
    })

    it('says which changed keys need a restart', async () => {
      await running([], async ({ command, write }) => {
        write(config(backend, { more: 'maxWaiting: 1000' }).replace('threads: 2', 'threads: 1').replace('info', 'warn'))
        command.child.kill('SIGHUP')
        const line = await command.says(/reloaded/)
        expect(line)
          .to.include({ level: 'warn' })
          .and.to.deep.include({ needRestart: ['threads', 'maxWaiting', 'log'] })
        expect(line['msg']).to.match(/generation 2; only a restart changes threads, maxWaiting, log$/)
      })
    })

    it('holds against the file what the command line says', async () => {
      await running(['--threads', '1'], async ({ command }) => {
        const admin = await command.port('admin')
        const state = await (await fetch(`http://127.0.0.1:${admin}/state`)).json()
        expect((state as { threads: unknown[] }).threads).to.have.length(1)
        command.child.kill('SIGHUP')
        expect(await command.says(/reloaded/)).to.deep.include({ needRestart: [] })
      })
    })

    it('changes a limit under load, and no request is lost', async () => {
      await running([], async ({ command, port, write }) => {
        const admin = `http://127.0.0.1:${await command.port('admin')}`
        const max = async () => (await (await fetch(`${addressOf(backend)}/max`)).json()) as { max: number }
        let stop = false
        let served = 0
        const failed: unknown[] = []
        const client = async () => {
          const connection = await RawClient.connect(port)
          while (!stop) {
            await connection.write('GET /slow?ms=5 HTTP/1.1\r\nHost: a\r\n\r\n')
            const answer = String(await connection.readUntil('slow: 5 ms\n'))
            if (answer.startsWith('HTTP/1.1 200')) served++
            else failed.push(answer)
          }
          await connection.close()
        }
        const clients = Array.from({ length: 20 }, () => client().catch((error: unknown) => failed.push(error)))
        await eventually(() => served > 20)
        expect((await max()).max).to.be.at.most(2)
        for (let generation = 2; generation <= 6; generation++) {
          write(config(backend, { limit: generation === 6 ? 7 : (generation % 2) + 1 }))
          command.child.kill('SIGHUP')
          await command.says(new RegExp(`generation ${generation}$`))
          const before = served
          await eventually(() => served > before + 20)
        }
        await eventually(async () => (await max()).max === 7)
        stop = true
        await Promise.all(clients)
        expect(failed).to.deep.equal([])
        const state = (await (await fetch(`${admin}/state`)).json()) as { gates: { id: string; running: number }[] }
        expect(state.gates).to.have.length(1)
        expect(state.gates[0]).to.include({ id: 'route:web/app', running: 0, waiting: 0, limit: 7 })
      })
    })
  })

  describe('by POST /reload', () => {
    it('answers with the generation, or with all mistakes and their places', async () => {
      await running([], async ({ command, write, which }) => {
        const admin = await command.port('admin')
        write(config(backend, { answer: 'two', more: 'maxWaiting: 1000' }))
        const fine = await change(admin, 'POST', '/reload')
        expect(fine).to.deep.equal({ status: 200, body: { generation: 2, needRestart: ['maxWaiting'] } })
        expect(await which()).to.equal('two')
        write(config(backend, { more: 'wrong: 1' }).replace('limit: 2', 'limit: 0'))
        const bad = await change(admin, 'POST', '/reload')
        expect(bad.status).to.equal(422)
        expect(bad.body.error).to.equal('the configuration stays as it is')
        expect(bad.body.mistakes.map(({ path }) => path)).to.deep.equal(['listeners.web.routes[1].gate.limit', 'wrong'])
        expect(bad.body.mistakes[1]).to.deep.include({ place: 'sluice.yaml:14:1' })
        expect(await command.says(/not reloaded/)).to.include({ generation: 2 })
        write('')
        expect((await change(admin, 'POST', '/reload')).body.mistakes[0]!.message).to.equal(
          'The configuration is empty.',
        )
      })
    })

    it('tells the place of what cannot be had, such as a port in use', async () => {
      const other = createServer()
      await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
      const { port } = other.address() as AddressInfo
      await running([], async ({ command, write, which }) => {
        const admin = await command.port('admin')
        const text = config(backend, { answer: 'two' })
        write(text.replace('    bind: "127.0.0.1:0"', `    bind: ["127.0.0.1:0", "127.0.0.1:${port}"]`))
        const { status, body } = await change(admin, 'POST', '/reload')
        expect(status).to.equal(422)
        expect(body.mistakes).to.deep.equal([
          {
            place: 'sluice.yaml:7:11',
            path: 'listeners.web.bind',
            message: `127.0.0.1:${port} is in use: another program listens there`,
          },
        ])
        expect(await which()).to.equal('one')
      })
      other.close()
    })
  })

  describe('with --watch', () => {
    it('follows a file that is replaced by another, and one that is written in place', async () => {
      await running(['--watch'], async ({ command, cwd, write, which }) => {
        writeFileSync(join(cwd, 'new'), config(backend, { answer: 'two' }))
        renameSync(join(cwd, 'new'), join(cwd, 'sluice.yaml'))
        await command.says(/^sluice\.yaml reloaded \(it has changed\) in \d+ ms: generation 2$/)
        expect(await which()).to.equal('two')
        write(config(backend, { answer: 'three' }))
        await command.says(/generation 3$/)
        expect(await which()).to.equal('three')
      })
    })

    it('keeps what holds while the file is broken, and goes on when it is mended', async () => {
      await running(['--watch'], async ({ command, write, which }) => {
        write('listeners: {')
        expect(await command.says(/not reloaded/)).to.include({ level: 'error', generation: 1 })
        expect(await which()).to.equal('one')
        write(config(backend, { answer: 'two' }))
        await command.says(/generation 2$/)
        expect(await which()).to.equal('two')
      })
    })

    it('takes a burst of changes for one, and a touch for none', async () => {
      await running(['--watch'], async ({ command, cwd, write }) => {
        utimesSync(join(cwd, 'sluice.yaml'), new Date(), new Date())
        for (let i = 0; i < 20; i++) write(config(backend, { answer: `n${i}` }))
        await command.says(/generation 2$/)
        // What comes after it is the next one, so nothing was left of the burst.
        write(config(backend, { answer: 'last' }))
        await command.says(/generation 3$/)
        expect(reloads(command)).to.have.length(2)
      })
    })

    it('reloads once for a change that SIGHUP has told of already', async () => {
      await running(['--watch'], async ({ command, write }) => {
        for (let generation = 2; generation <= 4; generation++) {
          write(config(backend, { answer: `n${generation}` }))
          command.child.kill('SIGHUP')
          await command.says(new RegExp(`\\(SIGHUP\\) in \\d+ ms: generation ${generation}$`))
        }
        write(config(backend, { answer: 'last' }))
        await command.says(/\(it has changed\) in \d+ ms: generation 5$/)
        expect(reloads(command)).to.have.length(4)
      })
    })

    it('waits for a certificate that is not there yet', async () => {
      const authority = new Authority()
      const { certFile, keyFile, cert } = authority.issue('listener')
      rmSync(certFile)
      await running(['--watch'], async ({ command, port, write }) => {
        const tls = `    protocol: http\n    tls: { cert: ${certFile}, key: ${keyFile} }`
        write(config(backend).replace('    protocol: http', tls))
        const line = await command.says(/not reloaded/)
        expect(line['msg']).to.match(/^sluice\.yaml:9:18 listeners\.web\.tls\.cert: the file \S+ does not exist$/m)
        writeFileSync(certFile, cert)
        await command.says(/generation 2$/)
        expect(await servedAt(port)).to.include('localhost')
        expect(reloads(command)).to.have.length(2)
      }).finally(() => authority.remove())
    })

    it('follows the certificates that the file names, in their own directory', async () => {
      const authority = new Authority()
      const [old, next] = [authority.issue('listener'), authority.issue('right')]
      const text = config(backend).replace(
        '    protocol: http',
        `    protocol: http\n    tls: { cert: ${old.certFile}, key: ${old.keyFile} }`,
      )
      await withFiles({ 'sluice.yaml': text }, async (cwd) => {
        const command = sluice(['run', '--watch'], { cwd })
        try {
          const port = await command.port('web')
          const before = await servedAt(port)
          writeFileSync(old.certFile, next.cert)
          writeFileSync(old.keyFile, next.key)
          await command.says(/generation 2$/)
          expect(await servedAt(port))
            .to.include('right.example')
            .and.not.to.equal(before)
        } finally {
          command.child.kill('SIGKILL')
          await command.exit
          authority.remove()
        }
      })
    })
  })
})

const addressOf = ({ address }: Backend): string => `http://127.0.0.1:${address.port}`

/** The names in the certificate that a listener shows. */
async function servedAt(port: number): Promise<string> {
  const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  const { subjectaltname = '' } = socket.getPeerCertificate()
  socket.destroy()
  return subjectaltname
}
