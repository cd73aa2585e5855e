import { expect } from 'chai'
import { type ConfigInput, parseConfigObject } from '@sluice/core'
import { pino } from 'pino'
import { type Machine, thisMachine, warnAtStart } from '../../src/commands/start-warnings.ts'

const fine: Machine = { descriptors: 100_000, migratesConnects: true }

/** What is said of a machine at the start of two listeners that take so many connections each. */
function said(machine: Partial<Machine>, threads = 2, maxConnections: number | undefined = 1_000): string[] {
  const listener = (port: number) => ({
    bind: `127.0.0.1:${port}`,
    protocol: 'tcp' as const,
    upstream: 'tcp://localhost:1',
    ...(maxConnections === 0 ? {} : { maxConnections }),
  })
  const input: ConfigInput = { listeners: { a: listener(1), b: listener(2) } }
  const lines: string[] = []
  const log = pino({ base: null, timestamp: false }, { write: (line: string) => lines.push(line) })
  warnAtStart(log, parseConfigObject(input).config!, threads, { ...fine, ...machine })
  return lines.map((line) => String((JSON.parse(line) as { msg: string }).msg))
}

describe('what is said of the machine at the start', () => {
  it('is nothing when it has enough of everything', () => {
    expect(said({})).to.deep.equal([])
    expect(said({ descriptors: undefined, migratesConnects: undefined })).to.deep.equal([])
  })

  it('is that the connections of all listeners together are more than the descriptors', () => {
    expect(said({ descriptors: 5_000 }, 2, 2_001)).to.have.length(1)
    expect(said({ descriptors: 5_000 }, 2, 2_001)[0]).to.equal(
      'maxConnections of all listeners are 4002 together, of which no more than 4000 will be had: ' +
        '80 % of the 5000 descriptors of this process (ulimit -n)',
    )
    expect(said({ descriptors: 5_000 }, 2, 2_000)).to.deep.equal([])
    // Without a word of them the process' own bound holds.
    expect(said({ descriptors: 5_000 }, 2, 0)).to.deep.equal([])
  })

  it('is that there are few descriptors', () => {
    expect(said({ descriptors: 4_095 })).to.deep.equal([
      'this process may open no more than 4095 descriptors (ulimit -n), a proxy needs 4096',
    ])
    expect(said({ descriptors: 4_096 })).to.deep.equal([])
  })

  it('is that those who connect may be reset when a listener closes, where several threads share it', () => {
    expect(said({ migratesConnects: false })[0]).to.match(/^net\.ipv4\.tcp_migrate_req is 0: /)
    expect(said({ migratesConnects: false }, 1)).to.deep.equal([])
  })

  it('is that threads would wait for the few connections of an upstream of HTTP/2', () => {
    const lines: string[] = []
    const log = pino({ base: null, timestamp: false }, { write: (line: string) => lines.push(line) })
    const upstream = (maxConnections: number, protocol: 'auto' | 'http1') => ({
      endpoints: ['127.0.0.1:1'],
      pool: { maxConnections },
      protocol,
    })
    const { config } = parseConfigObject({
      listeners: { a: { bind: '127.0.0.1:1', protocol: 'http', upstream: 'few' } },
      upstreams: { few: upstream(1, 'auto'), enough: upstream(2, 'auto'), older: upstream(1, 'http1') },
    })
    warnAtStart(log, config!, 2, fine)
    expect(lines).to.have.length(1)
    expect(lines[0]).to.include('upstreams.few: maxConnections 1 is less than the 2 threads')
  })

  it('is asked of this machine', function () {
    if (process.platform !== 'linux') this.skip()
    expect(thisMachine().descriptors ?? 1).to.be.above(0)
  })
})
