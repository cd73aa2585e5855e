import { expect } from 'chai'
import { beforeEach, describe, it } from 'mocha'
import { ClientAdmission } from '../src/client-admission.ts'
import type { ListenerConfig } from '../src/config/config.ts'
import { parseConfigObject } from '../src/config/parse.ts'
import { Runtime } from '../src/runtime.ts'
import { ClientTable } from '../src/state/client-table.ts'

describe('ClientAdmission', () => {
  let runtime: Runtime
  let refused = 0
  const stranger = { remoteAddress: '192.0.2.1' }

  beforeEach(() => {
    runtime = new Runtime({ faulted: () => {} })
    refused = 0
  })

  const config = (more: Partial<ListenerConfig>): ListenerConfig => ({
    ...parseConfigObject({ listeners: { web: { bind: ':1', protocol: 'tcp', upstream: 'tcp://127.0.0.1:2' } } }).config!
      .listeners[0]!,
    ...more,
  })
  const admission = (more: Partial<ListenerConfig>, maxAllConnections = Infinity) =>
    new ClientAdmission(runtime, config(more), {
      refused: () => void refused++,
      maxAllConnections,
      clients: new ClientTable(ClientTable.create(1, 64), 0),
    })

  it('lets all listeners together have so many connections', () => {
    const web = admission({ name: 'web' }, 2)
    const pg = admission({ name: 'pg' }, 2)
    const ticket = web.admit(stranger)
    expect(pg.admit(stranger)).to.be.at.least(0)
    expect(pg.admit(stranger)).to.be.below(0)
    expect(refused).to.equal(1)
    web.leave(ticket)
    expect(pg.admit(stranger)).to.be.at.least(0)
    expect(runtime.store.allConnections.total).to.equal(2)
    expect(runtime.store.connections('pg').total).to.equal(2)
  })

  it('lets trusted proxies and peers of Unix sockets have as many as they like', () => {
    const web = admission({ perClient: 1, trustedProxies: ['10.0.0.0/8'] })
    for (const remoteAddress of ['10.1.2.3', undefined, '']) {
      for (let i = 0; i < 3; i++) expect(web.admit({ remoteAddress })).to.be.at.least(0)
    }
    expect(web.admit(stranger)).to.be.at.least(0)
    expect(web.admit(stranger)).to.be.below(0)
  })

  it('does not ask for the address where nothing depends on it', () => {
    const peer = {
      get remoteAddress(): string {
        throw new Error('asked')
      },
    }
    expect(admission({}).admit(peer)).to.be.at.least(0)
  })

  it('gives back by other limits what was counted by the first', () => {
    const web = admission({ perClient: 1 })
    const ticket = web.admit(stranger)
    web.configure(config({}))
    web.leave(ticket)
    web.configure(config({ perClient: 1 }))
    expect(web.admit(stranger)).to.be.at.least(0)
  })
})
