import { expect } from 'chai'
import { sluice, withFiles } from '../support/command.ts'

const good = `listeners:
  web:
    bind: 127.0.0.1:0
    protocol: http
    gate: shared
    routes:
      - match: { path: /users/* }
        upstream: users
        gate: { limit: 2 }
      - respond: { body: hello }
gates: { shared: { limit: 9 } }
upstreams: { users: { endpoints: ["127.0.0.1:3000"] } }
`

const bad = `listeners:
  web:
    bind: 127.0.0.1:0
    protocol: http
    limits: { fields: many }
    timeouts: { head: 30 }
    routes:
      - upstream: userz
upstreams:
  users:
    endpoints: [127.0.0.1:3000]
    balance: roundrobbin
    pool: { maxIdel: 3 }
`

describe('sluice check', () => {
  it('says in one line what is in a good file, and exits with 0', async () => {
    await withFiles({ 'sluice.yaml': good }, async (cwd) => {
      const command = sluice(['check'], { cwd })
      expect(await command.exit, command.stderr).to.equal(0)
      expect(command.stdout).to.equal('sluice.yaml is fine: 1 listener, 2 routes, 1 upstream, 2 gates\n')
    })
  })

  it('reports five different mistakes at once, with line, column and a suggestion, and exits with 2', async () => {
    await withFiles({ 'a.yaml': bad }, async (cwd) => {
      const command = sluice(['check', 'a.yaml'], { cwd })
      expect(await command.exit).to.equal(2)
      const places = command.stderr.match(/^a\.yaml:\d+:\d+/gm)
      expect(places).to.deep.equal(['a.yaml:5:23', 'a.yaml:6:23', 'a.yaml:8:19', 'a.yaml:12:14', 'a.yaml:13:13'])
      for (const hint of ['Write 30ms or 30s', '`users`', '`roundRobin`', '`maxIdle`'])
        expect(command.stderr).to.include(hint)
      expect(command.stderr).to.match(/\na\.yaml: 5 mistakes\n$/)
    })
  })

  it('finds a certificate that is missing, with the place of its key', async () => {
    const tls = 'listeners:\n  web:\n    bind: 127.0.0.1:0\n    protocol: http\n    upstream: http://127.0.0.1:1\n'
    await withFiles({ 'a.yaml': `${tls}    tls: { cert: c.pem, key: k.pem }\n` }, async (cwd) => {
      const command = sluice(['check', 'a.yaml'], { cwd })
      expect(await command.exit).to.equal(2)
      expect(command.stderr).to.match(/^a\.yaml:6:18 listeners\.web\.tls\.cert: the file \S+c\.pem does not exist\n$/)
    })
  })

  it('refuses an admin bind that other machines reach', async () => {
    await withFiles({ 'a.yaml': `admin: { bind: 0.0.0.0:9901 }\n${good}` }, async (cwd) => {
      const command = sluice(['check', 'a.yaml'], { cwd })
      expect(await command.exit).to.equal(2)
      expect(command.stderr).to.match(/^a\.yaml:1:16 admin\.bind: The admin bind `0\.0\.0\.0:9901` must be/)
    })
  })
})
