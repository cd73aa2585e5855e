import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { join } from 'node:path'
import { expect } from 'chai'
import { type Backend, startHttpBackend } from '@sluice/backends'
import { eventually, RawClient } from '../../../testkit/src/raw/index.ts'
import { change } from '../support/ask-admin.ts'
import { type Command, sluice, withFiles } from '../support/command.ts'

const config = (backend: Backend, more = '') => `log: { access: json }
drainTimeout: 10s
admin: { bind: "127.0.0.1:0" }
listeners:
  web: { bind: "127.0.0.1:0", protocol: http, upstream: http }
upstreams:
  http: { endpoints: ["127.0.0.1:${backend.address.port}"] }
${more}`

async function running(backend: Backend, use: (command: Command, port: number, cwd: string) => Promise<void>) {
  await withFiles({ 'sluice.yaml': config(backend) }, async (cwd) => {
    const command = sluice(['run'], { cwd })
    try {
      await use(command, await command.port('web'), cwd)
    } finally {
      command.child.kill('SIGKILL')
      await command.exit
    }
  })
}

describe('sluice run', () => {
  let backend: Backend
  before(async () => {
    backend = await startHttpBackend()
  })
  after(() => backend.close())

  /** A request that the backend has begun to serve. */
  async function underWay(port: number, path: string): Promise<RawClient> {
    const client = await RawClient.connect(port)
    const { total } = backend.stats()
    await client.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)
    await eventually(() => backend.stats().total > total)
    return client
  }

  /** One whose data-plane threads can be killed by a bug. */
  async function dying(
    args: readonly string[],
    use: (command: Command, kill: (thread: number) => void, cwd: string) => Promise<void>,
  ) {
    const bug = `import { existsSync } from 'node:fs'
import { isMainThread, workerData } from 'node:worker_threads'
const file = \`kill-\${workerData?.thread}\`
const born = existsSync(file)
if (!isMainThread && !born) setInterval(() => {
  if (existsSync(file)) throw new Error('a bug')
  if (existsSync('stick')) for (;;);
}, 20).unref()
`
    const text = config(backend).replace('drainTimeout: 10s', 'drainTimeout: 1s')
    await withFiles({ 'sluice.yaml': text, 'bug.mjs': bug }, async (cwd) => {
      const env = { NODE_OPTIONS: `--import ${join(cwd, 'bug.mjs')}` }
      const command = sluice(['run', ...args], { cwd, env })
      try {
        await command.port('web')
        await use(command, (thread) => writeFileSync(join(cwd, `kill-${thread}`), ''), cwd)
      } finally {
        command.child.kill('SIGKILL')
        await command.exit
      }
    })
  }

  it('drains on SIGTERM: says what is open, serves it, stays ready to tell, and exits with 0', async () => {
    await running(backend, async (command, port) => {
      const admin = `http://127.0.0.1:${await command.port('admin')}`
      expect((await fetch(`${admin}/readyz`)).status).to.equal(200)
      const client = await underWay(port, '/slow?ms=500')
      command.child.kill('SIGTERM')
      const { msg } = await command.says(/^draining/)
      expect(msg).to.equal('draining, 10s at most: 1 under way; connections open: 1 on web')
      const ready = await fetch(`${admin}/readyz`)
      expect([ready.status, await ready.text()]).to.deep.equal([503, 'draining\n'])
      expect((await fetch(`${admin}/healthz`)).status).to.equal(200)
      const answer = String(await client.readToEnd())
      await client.close()
      expect(answer)
        .to.match(/^HTTP\/1\.1 200 /)
        .and.include('slow: 500 ms')
      expect(await command.exit).to.equal(0)
      const last = command.lines.slice(-2)
      expect(last[0]).to.include({ path: '/slow', status: 200, reason: 'ok' })
      expect(last[1]).to.include({ msg: 'stopped' })
      expect(command.stderr).to.equal('')
    })
  })

  it('stops at once on the second signal and exits with 1', async () => {
    await running(backend, async (command, port) => {
      const client = await underWay(port, '/hang')
      command.child.kill('SIGTERM')
      await command.says(/^draining/)
      command.child.kill('SIGTERM')
      expect(await command.exit).to.equal(1)
      expect(command.lines.map(({ msg }) => msg)).to.include(
        'stopped at once; cut: 1 under way; connections open: 1 on web',
      )
      await client.close()
    })
  })

  it('takes the SIGINTs of one Ctrl-C, passed on by npx and the launcher, for one', async () => {
    await running(backend, async (command, port) => {
      const client = await underWay(port, '/slow?ms=300')
      for (let i = 0; i < 3; i++) command.child.kill('SIGINT')
      expect(String(await client.readToEnd())).to.include('slow: 300 ms')
      await client.close()
      expect(await command.exit).to.equal(0)
    })
  })

  it('accepts on for drainDelay while it says that it goes, and counts drainTimeout from its end', async () => {
    const text = `drainDelay: 1s\n${config(backend).replace('drainTimeout: 10s', 'drainTimeout: 1s')}`
    await withFiles({ 'sluice.yaml': text }, async (cwd) => {
      const command = sluice(['run'], { cwd })
      const port = await command.port('web')
      const admin = `http://127.0.0.1:${await command.port('admin')}`
      const client = await underWay(port, '/hang')
      const begun = performance.now()
      command.child.kill('SIGTERM')
      const { msg } = await command.says(/^draining/)
      expect(msg).to.equal('draining: /readyz says 503, new connections are accepted for 1s, then 1s at most')
      expect((await fetch(`${admin}/readyz`)).status).to.equal(503)
      const late = await fetch(`http://127.0.0.1:${port}/late`, { headers: { connection: 'close' } })
      expect(late.status).to.equal(200)
      await command.says(/^the listeners close: 1 under way; connections open: 1 on web$/)
      await command.says(/^the drain's deadline has passed; cut: 1 under way/)
      expect(performance.now() - begun).to.be.at.least(1_990)
      expect(await command.exit).to.equal(0)
      await client.close()
    })
  })

  it('replaces a data-plane thread that dies, and says so', async () => {
    await dying(['--threads', '2'], async (command, kill) => {
      kill(0)
      const died = await command.says(/^data-plane thread 0 has died/)
      expect(died).to.include({ level: 'error', thread: 0 })
      expect(died['msg']).to.include('another one in 1000 ms: ').and.to.include('Error: a bug')
      await command.says(/^data-plane thread 0 works again$/)
      const admin = `http://127.0.0.1:${await command.port('admin')}`
      const metrics = await (await fetch(`${admin}/metrics`)).text()
      expect(metrics)
        .to.match(/^sluice_thread_restarts_total 1$/m)
        .and.to.match(/^sluice_threads 2$/m)
      const { threads } = (await (await fetch(`${admin}/state`)).json()) as { threads: { restarts: number }[] }
      expect(threads.map(({ restarts }) => restarts)).to.deep.equal([1, 0])
      command.child.kill('SIGTERM')
      expect(await command.exit).to.equal(0)
    })
  })

  it('ends in time though its data-plane threads are stuck', async () => {
    await dying(['--threads', '2'], async (command, _kill, cwd) => {
      const admin = await command.port('admin')
      writeFileSync(join(cwd, 'stick'), '')
      // Nobody answers any more.
      const web = await command.port('web')
      await eventually(async () => {
        const answer = await fetch(`http://127.0.0.1:${web}/`, { signal: AbortSignal.timeout(200) }).catch(() => 'none')
        return answer === 'none'
      })
      const begun = performance.now()
      await change(admin, 'POST', '/drain')
      expect(await command.exit).to.equal(0)
      expect(performance.now() - begun).to.be.within(1_000, 50_000)
    })
  })

  it('ends with 1 when five threads have died within a minute, and says why', async () => {
    await dying(['--threads', '5'], async (command, kill) => {
      for (let thread = 0; thread < 5; thread++) kill(thread)
      expect(await command.exit).to.equal(1)
      const [fatal] = command.lines.filter(({ level }) => level === 'fatal')
      expect(fatal!['msg']).to.match(/^5 data-plane threads have died within a minute, the last one: /)
      expect(command.lines.map(({ msg }) => msg)).not.to.include('stopped')
    })
  })

  it('says when an endpoint gets no work any more, and when it gets it again', async () => {
    const refused = await startHttpBackend()
    const down = refused.address.port
    await refused.close()
    const text = config(backend).replace(
      /endpoints: \[(.*)\] \}/,
      `endpoints: [$1, "127.0.0.1:${down}"], health: { passive: { failures: 1, eject: 5s } } }`,
    )
    for (const threads of ['0', '2']) {
      await withFiles({ 'sluice.yaml': text }, async (cwd) => {
        const command = sluice(['run', '--threads', threads], { cwd })
        const port = await command.port('web')
        for (let i = 0; i < 4; i++) expect((await fetch(`http://127.0.0.1:${port}/${i}`)).status).to.equal(200)
        const line = await command.says(/gets no work/)
        const endpoint = `127.0.0.1:${down}`
        expect(line).to.include({ level: 'warn', upstream: 'http', endpoint })
        expect(line['msg']).to.match(new RegExp(`^endpoint ${endpoint} of http gets no work, ejected: .*ECONNREFUSED`))
        await command.says(new RegExp(`^endpoint ${endpoint} of http gets work again$`))
        expect(command.lines.filter(({ msg }) => /gets no work/.test(String(msg)))).to.have.length(1)
        command.child.kill('SIGTERM')
        expect(await command.exit).to.equal(0)
      })
    }
  })

  it('says that the limits of a gate were changed', async () => {
    const text = config(backend).replace('upstream: http }', 'upstream: http, gate: { limit: 5 } }')
    await withFiles({ 'sluice.yaml': text }, async (cwd) => {
      const command = sluice(['run'], { cwd })
      const admin = await command.port('admin')
      await change(admin, 'PATCH', '/gates/listener:web', { limit: 3, timeout: '1s' })
      const line = await command.says(/has new limits/)
      expect(line).to.include({ gate: 'listener:web' })
      expect(line['msg']).to.equal('the gate listener:web has new limits: limit 5 → 3, timeout 5s → 1s')
      command.child.kill('SIGKILL')
      await command.exit
    })
  })

  it('ends when the admin listener is told to drain, and says the same as after a signal', async () => {
    await running(backend, async (command) => {
      const url = `http://127.0.0.1:${await command.port('admin')}/drain`
      const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' } })
      expect([answer.status, await answer.json()]).to.deep.equal([202, { state: 'draining' }])
      expect(await command.exit).to.equal(0)
      const said = command.lines.map(({ msg }) => String(msg)).slice(-2)
      expect(said[0]).to.match(/^draining, 10s at most: /)
      expect(said[1]).to.equal('stopped')
    })
  })

  for (const how of ['on SIGUSR2', 'by POST /log/reopen']) {
    it(`opens its log file anew ${how}`, async () => {
      const text = config(backend).replace('access: json', 'access: json, file: a.log')
      await withFiles({ 'sluice.yaml': text }, async (cwd) => {
        const command = sluice(['run', join(cwd, 'sluice.yaml')])
        const [current, moved] = [join(cwd, 'a.log'), join(cwd, 'moved.log')]
        const read = (file: string) => (existsSync(file) ? readFileSync(file, 'utf8') : '')
        const [, port] = await eventually(
          () => /web listens on http:\/\/127\.0\.0\.1:(\d+)/.exec(read(current)) ?? false,
        )
        await fetch(`http://127.0.0.1:${port}/before`)
        await eventually(() => read(current).includes('/before'))
        renameSync(current, moved)
        if (how === 'on SIGUSR2') command.child.kill('SIGUSR2')
        else {
          const [, admin] = /admin listens on http:\/\/127\.0\.0\.1:(\d+)/.exec(read(moved))!
          expect(await change(Number(admin), 'POST', '/log/reopen')).to.deep.equal({
            status: 200,
            body: { file: current },
          })
        }
        await eventually(() => existsSync(current))
        await fetch(`http://127.0.0.1:${port}/after`)
        await eventually(() => read(current).includes('/after'))
        expect(read(moved)).to.include('/before').and.not.to.include('/after')
        command.child.kill('SIGTERM')
        expect(await command.exit).to.equal(0)
        expect(command.stdout).to.equal('')
        expect(read(current)).to.include('"msg":"stopped"')
      })
    })
  }

  it('says in one line, with its place, that a port is in use', async () => {
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const { port } = other.address() as AddressInfo
    const text = config(backend).replace('web: { bind: "127.0.0.1:0"', `web: { bind: "127.0.0.1:${port}"`)
    await withFiles({ 'a.yaml': text }, async (cwd) => {
      const command = sluice(['run', 'a.yaml'], { cwd })
      expect(await command.exit).to.equal(1)
      expect(command.stderr).to.equal(
        `a.yaml:5:16 listeners.web.bind: 127.0.0.1:${port} is in use: another program listens there\n`,
      )
    })
    const admin = config(backend).replace('admin: { bind: "127.0.0.1:0"', `admin: { bind: "127.0.0.1:${port}"`)
    await withFiles({ 'a.yaml': admin }, async (cwd) => {
      const command = sluice(['run', 'a.yaml'], { cwd })
      expect(await command.exit).to.equal(1)
      expect(command.stderr).to.match(/^a\.yaml:3:16 admin\.bind: 127\.0\.0\.1:\d+ is in use[^\n]*\n$/)
    })
    other.close()
  })

  it('says in one line that the log file cannot be written', async () => {
    const text = config(backend).replace('access: json', 'file: no/such/a.log')
    await withFiles({ 'a.yaml': text }, async (cwd) => {
      const command = sluice(['run', 'a.yaml'], { cwd })
      expect(await command.exit).to.equal(1)
      expect(command.stderr).to.match(/^a\.yaml:1:14 log\.file: \S+a\.log cannot be written: ENOENT[^\n]*\n$/)
    })
  })

  it('binds a unix socket that a killed process has left behind', async () => {
    const text = config(backend).replace('web: { bind: "127.0.0.1:0"', 'web: { bind: "unix:web.sock"')
    await withFiles({ 'sluice.yaml': text }, async (cwd) => {
      const killed = sluice(['run'], { cwd })
      await killed.says(/^web listens/)
      killed.child.kill('SIGKILL')
      await killed.exit
      const next = sluice(['run'], { cwd })
      await next.says(/^web listens/)
      const client = connect(join(cwd, 'web.sock'))
      await new Promise((resolve, reject) => client.once('connect', resolve).once('error', reject))
      client.destroy()
      const third = sluice(['run'], { cwd })
      expect(await third.exit).to.equal(1)
      expect(third.stderr).to.include('web.sock is in use')
      next.child.kill('SIGTERM')
      expect(await next.exit).to.equal(0)
    })
  })
})
