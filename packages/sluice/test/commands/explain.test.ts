import { expect } from 'chai'
import { parseConfig } from '@sluice/core'
import { explanation, type Question } from '../../src/commands/explain.ts'

const text = `listeners:
  web:
    bind: 127.0.0.1:8080
    protocol: http
    routes:
      - name: users
        match: { host: api.example.com, path: /users/* }
        stripPrefix: /users
        upstream: users
        gate: { limit: 6, queue: 100, timeout: 2s }
      - match: { method: POST }
        upstream: users
      - match: { headers: { x-canary: "1" } }
        respond: { status: 204 }
      - respond: { status: 404 }
  live: { bind: ":8081", protocol: websocket, upstream: users }
  raw: { bind: ":8082", protocol: tcp, upstream: "tcp://127.0.0.1:9" }
upstreams:
  users:
    endpoints: [{ address: "10.0.0.1:3000", limit: 50, weight: 3 }, "10.0.0.2:3000"]
    gate: { limit: 200, queue: 1000, timeout: 5s }
    retries: { max: 0 }
`

function explain(url: string, rest: Partial<Question> = {}): string[] {
  const result = parseConfig(text, { file: 'a.yaml' })
  if (result.errors !== undefined) throw new Error(result.errors[0]!.message)
  const placeOf = (path: readonly (string | number)[]) => {
    const position = result.locate(path)
    return position === undefined ? undefined : `a.yaml:${position.line}:${position.column}`
  }
  return explanation({ config: result.config, placeOf }, { url, method: 'GET', headers: [], ...rest }).split('\n')
}

describe('sluice explain', () => {
  it('tells listener, route, runner-up, gates, policies, upstream and endpoints', () => {
    const lines = explain('http://api.example.com:8080/users/7', { method: 'POST' })
    expect(lines).to.deep.equal([
      'listener   web (http on 127.0.0.1:8080)',
      '           a.yaml:3:5',
      'route      web/users, matches api.example.com/users/*: to users',
      '           a.yaml:6:9',
      'runner-up  web/POST *: to users',
      '           a.yaml:11:9',
      'why        It wins over the runner-up because its host is more specific.',
      'gate       route:web/users: 6 at once, 100 wait, 2s at most',
      'gate       upstream:users: 200 at once, 1000 wait, 5s at most',
      'path       sent as /7',
      'upstream   users (roundRobin)',
      'endpoint   10.0.0.1:3000 (weight 3, 50 at once)',
      'endpoint   10.0.0.2:3000',
      'timeouts   connect 5s, response 1m',
      'retries    none',
      'health     no checks; ejected for 30s after 5 failures in a row',
    ])
  })

  it('asks with the header fields that are given', () => {
    expect(explain('http://h:8080/', { headers: ['X-Canary: 1'] })[2]).to.equal(
      'route      web/* x-canary=1: answers 204',
    )
    expect(explain('http://h:8080/')[2]).to.equal('route      web/*: answers 404')
    const lines = explain('http://h:8080/users', { headers: ['Host: API.example.com:80'] })
    expect(lines[2]).to.include('web/users')
  })

  it('tells what a bad path and a request that is no upgrade get', () => {
    expect(explain('http://h:8080/a/../../b').at(-1)).to.include('400 badRequest')
    expect(explain('http://h:8081/').at(-1)).to.include('426 upgradeRequired')
  })

  it('matches on the normal form of the path', () => {
    expect(explain('http://api.example.com:8080/x/../%75sers/7')).to.include('path       matched as /users/7')
  })

  it('explains a TCP connection', () => {
    expect(explain('tcp://127.0.0.1:8082')).to.include('endpoint   127.0.0.1:9')
  })

  it('takes the only listener for a protocol when none is bound to the port, and says so', () => {
    expect(explain('http://api.example.com/users/7')[0]).to.include('no listener is bound to port 80')
    expect(() => explain('ws://h/')).to.throw('No listener is bound to port 80. Listeners are web on 127.0.0.1:8080;')
  })

  it('refuses what is no URL and a header field that is none', () => {
    expect(() => explain('users/7')).to.throw('`users/7` is not a URL')
    expect(() => explain('http://h:8080/', { headers: ['x'] })).to.throw('must be written as `Name: value`')
  })
})
