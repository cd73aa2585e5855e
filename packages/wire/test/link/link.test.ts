import { mkdtempSync, rmSync } from 'node:fs'
import { connect as connectSocket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSecureContext } from 'node:tls'
import { expect } from 'chai'
import { eventually, RawClient, RawServer } from '../../../testkit/src/raw/index.ts'
import { Acceptor, connectLink, type Link, lingeringClose, Tunnel } from '../../src/link/index.ts'
import { certificate } from './certificate.ts'
import { Accepting, connecting, Notes, type Pair } from './pair.ts'

const way = process.env['SLUICE_LINK'] === 'plain' ? 'plain' : 'owned buffers'

/** Lets the event loop turn once. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

for (const tls of [false, true]) {
  describe(`a link by ${way}, ${tls ? 'TLS' : 'in the clear'}`, () => {
    let accepting: Accepting
    let pair: Pair

    beforeEach(async () => {
      accepting = await new Accepting({ tls }).listen()
      pair = await accepting.pair()
    })
    afterEach(() => accepting.close())

    it('reads what the peer writes', async () => {
      await pair.peer.write('hello')
      await eventually(() => pair.notes.bytes.toString() === 'hello')
      expect(pair.link.bytesIn).to.equal(5)
      expect(pair.link.remoteAddress).to.equal('127.0.0.1')
    })

    it('sends all writes of a turn as one run', async () => {
      const runs: string[] = []
      pair.peer.socket.on('data', (run: Buffer) => runs.push(run.toString()))
      pair.notes.onBytesDo = () => {
        pair.link.write(Buffer.from('xone, x'), 1, 6)
        pair.link.send(Buffer.from('two, '))
        pair.link.write(Buffer.from('three'), 0, 5, 10)
        pair.link.write(Buffer.from(', four'), 0, 6)
      }
      await pair.peer.write('go')
      await pair.peer.readUntil('four')
      expect(runs).to.deep.equal(['one, two, three, four'])
      expect(pair.link.bytesOut).to.equal(21)
    })

    it('has its own copy of what was lent, once the turn is over', async () => {
      const lent = Buffer.from('lent')
      pair.notes.onBytesDo = () => pair.link.write(lent, 0, 4)
      await pair.peer.write('go')
      await turn()
      await eventually(() => pair.notes.received.length === 1)
      lent.fill('x')
      expect((await pair.peer.readSome()).toString()).to.equal('lent')
    })

    it('writes outside a turn before the event loop goes on', async () => {
      pair.link.write(Buffer.from('now'), 0, 3)
      await turn()
      expect((await pair.peer.readSome()).toString()).to.equal('now')
    })

    it('says congested once, and drain once when the peer has taken all', async () => {
      pair.peer.pause()
      const block = Buffer.alloc(1_048_576)
      let sent = 0
      // Under TLS every large write waits for a moment; it is congestion when it does not pass by itself.
      for (let turns = 0; turns < 20 && sent < 64; turns++) {
        if (!pair.link.congested) {
          pair.link.send(block)
          sent++
          turns = 0
        }
        await turn()
      }
      const events = pair.notes.events.length
      expect(pair.notes.events.at(-1)).to.equal('congested')
      for (let i = 0; i < 4; i++, sent++) {
        pair.link.send(block)
        await turn()
      }
      expect(pair.notes.events).to.have.length(events)
      expect(pair.link.unsentBytes).to.be.above(0)
      pair.peer.resume()
      expect((await pair.peer.readExactly(sent * block.length)).length).to.equal(sent * block.length)
      await eventually(() => !pair.link.congested)
      expect(pair.notes.events.slice(events)).to.deep.equal(['drain'])
    })

    it('reads nothing while it is paused, and everything afterwards', async () => {
      pair.link.pause()
      await turn()
      void pair.peer.write(Buffer.alloc(8 * 1_048_576, 'a'))
      for (let i = 0; i < 50; i++) await turn()
      // What was under way when reading stopped may still come.
      expect(pair.notes.bytes.length).to.be.below(2 * 1_048_576)
      pair.link.resume()
      await eventually(() => pair.notes.bytes.length === 8 * 1_048_576)
    })

    it('hears the FIN of its peer and goes on writing', async () => {
      pair.notes.onEndDo = () => pair.link.send(Buffer.from('after'))
      await pair.peer.fin()
      expect((await pair.peer.readSome()).toString()).to.equal('after')
      expect(pair.notes.events).to.deep.equal(['end'])
    })

    it('ends its own half after what is written, and goes on reading', async () => {
      pair.link.write(Buffer.from('last'), 0, 4)
      pair.link.end()
      pair.link.write(Buffer.from('lost'), 0, 4)
      expect((await pair.peer.readToEnd()).toString()).to.equal('last')
      if (tls) return
      await pair.peer.write('still')
      await eventually(() => pair.notes.bytes.toString() === 'still')
      await pair.peer.fin()
      await pair.notes.closed
      expect(pair.notes.error).to.equal(undefined)
    })

    it('closes after what is written', async () => {
      const bytes = Buffer.alloc(20 * 1_048_576, 'b')
      pair.link.send(bytes)
      pair.link.destroyAfterFlush()
      expect((await pair.peer.readToEnd()).length).to.equal(bytes.length)
      await pair.notes.closed
      expect(pair.notes.error).to.equal(undefined)
    })

    it('does not wait for ever for a peer that takes nothing', async function () {
      this.timeout(8_000)
      pair.peer.pause()
      pair.link.send(Buffer.alloc(20 * 1_048_576))
      pair.link.destroyAfterFlush()
      await pair.notes.closed
    })

    it('resets, and the peer sees that it was no end', async () => {
      // Past the handshake of TLS, whose tickets may still be under way.
      await pair.peer.write('a')
      await eventually(() => pair.notes.received.length === 1)
      pair.link.send(Buffer.from('x'))
      await pair.peer.readSome()
      pair.link.reset()
      expect(await pair.peer.ended).to.equal('rst')
      await pair.notes.closed
      expect(pair.link.closed).to.equal(true)
      expect(pair.link.writable).to.equal(false)
    })

    it('hears of a reset by its peer', async () => {
      pair.link.send(Buffer.from('x'))
      await pair.peer.readSome()
      await pair.peer.write('a')
      await eventually(() => pair.notes.received.length === 1)
      pair.peer.rst()
      await pair.notes.closed
      expect(pair.notes.error?.kind).to.equal('reset')
      expect(pair.notes.events).to.deep.equal(['close'])
    })

    it('may be used after it is closed, to no effect', async () => {
      pair.link.destroy()
      await pair.notes.closed
      pair.link.write(Buffer.from('x'), 0, 1)
      pair.link.send(Buffer.from('x'))
      pair.link.pause()
      pair.link.resume()
      pair.link.end()
      pair.link.reset()
      pair.link.destroyAfterFlush()
      pair.link.destroy()
      let told = false
      lingeringClose(pair.link, { closed: () => (told = true) })
      expect(told).to.equal(true)
      await turn()
      expect(pair.notes.events).to.deep.equal(['close'])
    })

    it('is lost alone when its handler throws', async () => {
      const other = await accepting.pair()
      pair.notes.onBytesDo = () => {
        other.link.send(Buffer.from('for the other'))
        throw new Error('a bug')
      }
      await pair.peer.write('go')
      await pair.notes.closed
      expect(pair.notes.faults.map(String)).to.deep.equal(['Error: a bug'])
      expect((await other.peer.readSome()).toString()).to.equal('for the other')
      await other.peer.write('on')
      await eventually(() => other.notes.bytes.toString() === 'on')
    })

    it('is lost alone when its handler throws as it is told of congestion', async () => {
      const other = await accepting.pair()
      pair.peer.pause()
      pair.notes.onCongested = () => {
        throw new Error('a bug')
      }
      other.notes.onBytesDo = () => {
        pair.link.send(Buffer.alloc(64 * 1_048_576))
        other.link.send(Buffer.from('mine'))
      }
      await other.peer.write('go')
      expect((await other.peer.readSome()).toString()).to.equal('mine')
      await pair.notes.closed
      expect(pair.notes.faults.map(String)).to.deep.equal(['Error: a bug'])
    })

    it('is told to a peer that is still sending before it closes', async () => {
      pair.notes.onBytesDo = () => {
        pair.link.send(Buffer.from('enough'))
        lingeringClose(pair.link, { closed: () => pair.notes.events.push('lingered') })
      }
      for (let i = 0; i < 10; i++) void pair.peer.write(Buffer.alloc(50_000))
      expect((await pair.peer.readToEnd()).toString()).to.equal('enough')
      await pair.peer.fin()
      await eventually(() => pair.link.closed)
      expect(pair.notes.events).to.deep.equal(['lingered'])
    })

    it('drops 1 MiB of a peer that will not stop, and no more', async () => {
      lingeringClose(pair.link)
      await pair.peer.write(Buffer.alloc(900_000))
      expect(pair.link.closed).to.equal(false)
      void pair.peer.write(Buffer.alloc(4_000_000))
      await eventually(() => pair.link.closed)
    })

    it('lingers for a peer that neither sends nor closes, two seconds long', async () => {
      const started = performance.now()
      lingeringClose(pair.link)
      await eventually(() => pair.link.closed)
      expect(performance.now() - started).to.be.within(1_900, 20_000)
    })

    it('gives a slow reader all of its answer', async function () {
      this.timeout(10_000)
      pair.peer.pause()
      pair.link.send(Buffer.alloc(20 * 1_048_576, 'c'))
      lingeringClose(pair.link, { maxMs: 50, sendMs: 5_000 })
      // Reading begins when every bound but that of sending is over.
      await new Promise((resolve) => setTimeout(resolve, 200))
      pair.peer.resume()
      expect((await pair.peer.readToEnd()).length).to.equal(20 * 1_048_576)
    })
  })

  describe(`an outgoing link by ${way}, ${tls ? 'TLS' : 'in the clear'}`, () => {
    let server: RawServer
    let notes: Notes
    let link: Link

    beforeEach(async () => {
      ;({ server, notes, link } = await connecting(tls))
    })
    afterEach(async () => {
      link.destroy()
      await notes.closed
      await server.close()
    })

    it('says when it stands, and passes bytes both ways', async () => {
      await eventually(() => notes.events.includes('connect'))
      link.send(Buffer.from('up'))
      const peer = await server.accept()
      expect((await peer.readExactly(2)).toString()).to.equal('up')
      await peer.write('down')
      await eventually(() => notes.bytes.toString() === 'down')
    })

    it('can be given up before it stands', async () => {
      link.reset()
      await notes.closed
      expect(notes.events).to.deep.equal(['close'])
    })

    it('resets', async () => {
      await eventually(() => notes.events.includes('connect'))
      const peer = await server.accept()
      link.send(Buffer.from('up'))
      await peer.readExactly(2)
      link.reset()
      const end = await peer.ended
      // Under TLS of Node's own making the socket beneath cannot be reset: the peer sees an end without close_notify.
      if (!tls) expect(end).to.equal('rst')
      await notes.closed
    })

    it('passes what it writes while it is being made', async () => {
      const early = new Notes()
      const other = connectLink({ host: '127.0.0.1', port: server.port }, early)
      other.send(Buffer.from('early'))
      if (!tls) {
        await server.accept()
        const peer = await server.accept()
        expect((await peer.readExactly(5)).toString()).to.equal('early')
      }
      other.destroy()
      await early.closed
    })
  })
}

describe('connect errors', () => {
  const failure = async (target: Parameters<typeof connectLink>[0]): Promise<string | undefined> => {
    const notes = new Notes()
    connectLink(target, notes)
    await notes.closed
    expect(notes.events).to.deep.equal(['close'])
    return notes.error?.kind
  }

  it('are refused where nobody listens', async () => {
    const server = await RawServer.start()
    const { port } = server
    await server.close()
    expect(await failure({ host: '127.0.0.1', port })).to.equal('refused')
    expect(await failure({ path: join(tmpdir(), 'sluice-nobody.sock') })).to.equal('refused')
  })

  it('are unreachable where no way leads', async () => {
    expect(await failure({ host: '255.255.255.255', port: 9 })).to.be.oneOf(['unreachable', 'other'])
  })

  it('are of TLS when the certificate is not trusted, or is for another name', async () => {
    const server = await RawServer.start(undefined, { tls: certificate })
    const kindOf = async (ca: string | undefined, serverName: string): Promise<string | undefined> => {
      const notes = new Notes()
      const context = createSecureContext(ca === undefined ? {} : { ca })
      connectLink({ host: '127.0.0.1', port: server.port }, notes, { secureContext: context, serverName })
      await notes.closed
      return notes.error?.kind
    }
    expect(await kindOf(undefined, 'sluice.test')).to.equal('tls')
    expect(await kindOf(certificate.cert, 'other.test')).to.equal('tls')
    await server.close()
  })

  it('are of TLS when the peer does not speak it', async () => {
    const server = await RawServer.start(async (connection) => {
      await connection.readSome()
      await connection.write('HTTP/1.1 400 Bad Request\r\n\r\n')
    })
    const notes = new Notes()
    connectLink({ host: '127.0.0.1', port: server.port }, notes, {
      secureContext: createSecureContext({ ca: certificate.cert }),
      serverName: 'sluice.test',
    })
    await notes.closed
    expect(notes.error?.kind).to.equal('tls')
    await server.close()
  })
})

describe('a TLS handshake', () => {
  let accepting: Accepting
  beforeEach(async () => {
    accepting = await new Accepting({ tls: true }).listen()
  })
  afterEach(() => accepting.close())

  it('of garbage makes no link and is told', async () => {
    const client = await RawClient.connect(accepting.port)
    await client.write('GET / HTTP/1.1\r\n\r\n')
    await client.ended
    await client.close()
    await eventually(() => accepting.failures.length === 1)
    expect(accepting.accepted).to.have.length(0)
  })

  it('that is broken off makes no link', async () => {
    const client = await RawClient.connect(accepting.port)
    await client.write('\x16\x03\x01')
    client.rst()
    await client.closed
    await eventually(() => accepting.failures.length === 1)
    expect(accepting.accepted).to.have.length(0)
  })

  it('that hangs is ended with the listener', async () => {
    const client = await RawClient.connect(accepting.port)
    await client.write('\x16\x03\x01')
    await turn()
    accepting.acceptor.destroy()
    await client.ended
    await client.close()
    expect(accepting.accepted).to.have.length(0)
  })

  it('whose client resets in the very turn of it leaves no link behind', async () => {
    for (let i = 0; i < 20; i++) {
      const client = await RawClient.connect(accepting.clientOptions)
      client.rst()
      await client.closed
    }
    await eventually(() => accepting.accepted.length + accepting.failures.length >= 20)
    await eventually(() => accepting.accepted.every(({ link, events }) => link.closed || events.includes('end')))
    for (const { link, events } of accepting.accepted) {
      // The reset may have been taken by a session ticket that was being written: then its owner sees an end.
      if (!link.closed && events.includes('end')) link.end()
    }
    await eventually(() => accepting.accepted.every(({ link }) => link.closed))
  })
})

describe('an acceptor', () => {
  it('leaves the links that stand when it closes, and takes no more', async () => {
    const accepting = await new Accepting().listen()
    const { notes, peer } = await accepting.pair()
    await accepting.acceptor.close()
    await peer.write('on')
    await eventually(() => notes.bytes.toString() === 'on')
    let refused = false
    await RawClient.connect(accepting.port).catch(() => (refused = true))
    expect(refused).to.equal(true)
    await accepting.close()
  })

  it('rejects an address that is taken, and can be used afterwards', async () => {
    const first = await new Accepting().listen()
    const second = new Accepting()
    let code = ''
    await second.acceptor.listen({ host: '127.0.0.1', port: first.port }).catch((error: NodeJS.ErrnoException) => {
      code = error.code ?? ''
    })
    expect(code).to.equal('EADDRINUSE')
    await second.listen()
    const { notes, peer } = await second.pair()
    await peer.write('on')
    await eventually(() => notes.bytes.toString() === 'on')
    await first.close()
    await second.close()
  })

  it('speaks on Unix sockets, resets included', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-link-'))
    const path = join(folder, 's.sock')
    const notes = new Notes()
    const acceptor = new Acceptor({
      accept: (link) => {
        notes.link = link
        return notes
      },
      tls: undefined,
      admit: () => 0,
      leave: () => undefined,
      refused: () => undefined,
    })
    expect(await acceptor.listen({ path })).to.deep.equal({ path })
    const up = new Notes()
    const link = connectLink({ path }, up)
    link.send(Buffer.from('hello'))
    await eventually(() => notes.bytes.toString() === 'hello')
    expect(notes.link.remoteAddress).to.equal('')
    notes.link.reset()
    await notes.closed
    await eventually(() => up.events.includes('end') || up.events.includes('close'))
    link.destroy()
    await up.closed
    await acceptor.close()
    rmSync(folder, { recursive: true, force: true })
  })

  it('survives connections that are reset at once', async () => {
    const accepting = await new Accepting().listen()
    await Promise.all(
      Array.from(
        { length: 200 },
        () =>
          new Promise<void>((resolve) => {
            const socket = connectSocket(accepting.port, '127.0.0.1', () => socket.resetAndDestroy())
            socket.on('error', () => undefined)
            socket.once('close', () => resolve())
          }),
      ),
    )
    await eventually(() => accepting.accepted.length === 200 && accepting.accepted.every(({ link }) => link.closed))
    const { notes, peer } = await accepting.pair()
    await peer.write('on')
    await eventually(() => notes.bytes.toString() === 'on')
    await accepting.close()
  })
})

describe('a tunnel', () => {
  let accepting: Accepting
  let server: RawServer
  const ends: string[] = []

  async function tunnel(): Promise<{
    peer: RawClient
    far: Awaited<ReturnType<RawServer['accept']>>
    up: Link
    down: Link
  }> {
    const { peer, link } = await accepting.pair()
    const notes = new Notes()
    const up = connectLink({ host: '127.0.0.1', port: server.port }, notes)
    await eventually(() => notes.events.includes('connect'))
    new Tunnel(link, up, {
      passed: () => undefined,
      congested: () => undefined,
      drained: () => undefined,
      sideClosed: (side, error) => ends.push(`${side}${error === undefined ? '' : ` ${error.kind}`}`),
      fault: (fault) => ends.push(String(fault)),
    })
    return { peer, far: await server.accept(), up, down: link }
  }

  beforeEach(async () => {
    ends.length = 0
    accepting = await new Accepting().listen()
    server = await RawServer.start()
  })
  afterEach(async () => {
    accepting.acceptor.destroy()
    await server.close()
  })

  it('passes bytes and half-closes both ways', async () => {
    const { peer, far } = await tunnel()
    await peer.write('up')
    expect((await far.readExactly(2)).toString()).to.equal('up')
    await peer.fin()
    expect((await far.readToEnd()).length).to.equal(0)
    await far.write('down')
    await far.fin()
    expect((await peer.readToEnd()).toString()).to.equal('down')
    await eventually(() => ends.length === 2)
    expect(ends).to.have.members(['downstream', 'upstream'])
  })

  it('passes a reset on as a reset', async () => {
    const { peer, far } = await tunnel()
    far.rst()
    expect(await peer.ended).to.equal('rst')
    await eventually(() => ends.length === 2)
    expect(ends).to.deep.equal(['upstream reset', 'downstream'])
  })

  it('stops reading one side while the other takes nothing', async () => {
    const { peer, far, up } = await tunnel()
    far.pause()
    const block = Buffer.alloc(1_048_576)
    let taken = 0
    const pump = (): void => void (peer.socket.destroyed || peer.socket.write(block, () => (taken++, pump())))
    pump()
    pump()
    await eventually(() => up.congested)
    const before = up.bytesOut
    for (let i = 0; i < 50; i++) await turn()
    expect(up.bytesOut - before).to.be.below(1_048_576)
    expect(taken).to.be.below(64)
    await peer.close()
    far.resume()
  })
})
