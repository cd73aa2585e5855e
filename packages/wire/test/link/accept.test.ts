import { connect, type Socket } from 'node:net'
import { connect as connectTls, createSecureContext } from 'node:tls'
import { expect } from 'chai'
import { eventually, RawClient } from '../../../testkit/src/raw/index.ts'
import { Acceptor, type AcceptTarget, type Link, type LinkHandler } from '../../src/link/index.ts'
import { certificate } from './certificate.ts'
import { secureContext } from './pair.ts'

/** A target that greets each link with a word and answers every run of bytes with it. */
class Greeting implements AcceptTarget {
  readonly tls: AcceptTarget['tls']
  readonly links: Link[] = []
  left = 0
  readonly #word: string

  constructor(word: string, tls?: AcceptTarget['tls']) {
    this.#word = word
    this.tls = tls
  }

  accept(link: Link): LinkHandler {
    this.links.push(link)
    link.send(Buffer.from(this.#word))
    return {
      onBytes: () => link.send(Buffer.from(this.#word)),
      onEnd: () => link.destroyAfterFlush(),
      onCongested() {},
      onDrain() {},
      onClose() {},
      onFault(fault) {
        throw fault
      },
    }
  }

  admit(): number {
    return 0
  }

  leave(): void {
    this.left++
  }

  refused(): void {}
}

const loopback = { host: '127.0.0.1', port: 0 }

async function portOf(acceptor: Acceptor): Promise<number> {
  return ((await acceptor.listen(loopback)) as { port: number }).port
}

describe('an acceptor', () => {
  it('gives connections to the target that it has when they come', async () => {
    const [first, second] = [new Greeting('first'), new Greeting('second')]
    const acceptor = new Acceptor(first)
    const port = await portOf(acceptor)
    const before = await RawClient.connect({ port })
    await before.readUntil('first')
    acceptor.target = second
    const after = await RawClient.connect({ port })
    await after.readUntil('second')
    await before.write('?')
    await before.readUntil('first')
    acceptor.destroy()
    await Promise.all([before.close(), after.close()])
    for (const link of [...first.links, ...second.links]) link.destroy()
  })

  it('holds connections until it has a target', async () => {
    const acceptor = new Acceptor()
    const client = await RawClient.connect({ port: await portOf(acceptor) })
    await client.write('?')
    const target = new Greeting('hello')
    acceptor.target = target
    await client.readUntil('hello')
    acceptor.destroy()
    await client.close()
    for (const link of target.links) link.destroy()
  })

  it('resets connections when it never gets a target', async () => {
    const acceptor = new Acceptor()
    const client = await RawClient.connect({ port: await portOf(acceptor) })
    await new Promise((resolve) => setImmediate(resolve))
    acceptor.destroy()
    expect(await client.ended).to.equal('rst')
  })

  for (const how of ['close', 'destroy'] as const) {
    it(`binds nothing after a ${how} while it was being bound`, async () => {
      for (const host of ['127.0.0.1', 'localhost']) {
        for (let turns = 0; turns < 3; turns++) {
          const acceptor = new Acceptor(new Greeting('hello'))
          const bound = acceptor.listen({ host, port: 0 }).then(
            (where) => ('port' in where ? where.port : undefined),
            () => undefined,
          )
          for (let i = 0; i < turns; i++) await Promise.resolve()
          await acceptor[how]()
          const port = await bound
          if (port !== undefined) expect(await refuses(port)).to.equal(true)
        }
      }
    })
  }

  it('ends a handshake with the certificate it began with, for the target of its end', async () => {
    const first = new Greeting('first', { secureContext })
    // A context that cannot finish any handshake.
    const second = new Greeting('second', { secureContext: createSecureContext() })
    const acceptor = new Acceptor(first)
    const port = await portOf(acceptor)
    const raw = connect(port, '127.0.0.1')
    await new Promise((resolve) => raw.once('connect', resolve))
    // Accepted, with not a byte of its handshake sent: no event of ours tells.
    const late = await RawClient.connect({ port, tls: { ca: certificate.cert, servername: 'sluice.test' } })
    await late.readUntil('first')
    acceptor.target = second
    const secure = connectTls({ socket: raw, ca: certificate.cert, servername: 'sluice.test' })
    const greeting = await new Promise<string>((resolve, reject) => {
      secure.once('data', (bytes) => resolve(bytes.toString()))
      secure.once('error', reject)
    })
    expect(greeting).to.equal('second')
    acceptor.destroy()
    secure.destroy()
    await late.close()
    for (const link of [...first.links, ...second.links]) link.destroy()
  })

  it('counts a client once whose handshake ends at another target', async () => {
    let [now, most] = [0, 0]
    class Counting extends Greeting {
      override admit(): number {
        most = Math.max(most, ++now)
        return 0
      }

      override leave(): void {
        now--
      }
    }
    const [first, second] = [new Counting('first', { secureContext }), new Counting('second', { secureContext })]
    const acceptor = new Acceptor(first)
    const port = await portOf(acceptor)
    const raw = connect(port, '127.0.0.1')
    await eventually(() => now === 1)
    acceptor.target = second
    const secure = connectTls({ socket: raw, ca: certificate.cert, servername: 'sluice.test' })
    await new Promise((resolve) => secure.once('data', resolve))
    expect([now, most]).to.deep.equal([1, 1])
    acceptor.destroy()
    secure.destroy()
    for (const link of second.links) link.destroy()
  })

  it('leaves for a client whose handler cannot be made', async () => {
    class Failing extends Greeting {
      override accept(): LinkHandler {
        throw new Error('not today')
      }
    }
    const target = new Failing('hello')
    const acceptor = new Acceptor(target)
    const client = await RawClient.connect({ port: await portOf(acceptor) })
    await client.ended
    expect(target.left).to.equal(1)
    acceptor.destroy()
    await client.close()
  })

  it('forgets a client that leaves during its handshake', async () => {
    const target = new Greeting('hello', { secureContext })
    const acceptor = new Acceptor(target)
    const client = await RawClient.connect({ port: await portOf(acceptor) })
    await client.fin()
    await client.ended
    await eventually(() => target.left === 1)
    await acceptor.close()
  })

  it('lets handshakes end while it closes', async () => {
    const target = new Greeting('hello', { secureContext })
    const acceptor = new Acceptor(target)
    const port = await portOf(acceptor)
    const raw = connect(port, '127.0.0.1')
    await new Promise((resolve) => raw.once('connect', resolve))
    await acceptor.close()
    expect(await refuses(port)).to.equal(true)
    const secure = connectTls({ socket: raw, ca: certificate.cert, servername: 'sluice.test' })
    await new Promise((resolve) => secure.once('data', resolve))
    secure.destroy()
    for (const link of target.links) link.destroy()
  })

  it('ends a handshake that is not done two seconds after it has closed', async () => {
    const target = new Greeting('hello', { secureContext })
    const acceptor = new Acceptor(target)
    const client = await RawClient.connect({ port: await portOf(acceptor) })
    const started = performance.now()
    await acceptor.close()
    await client.ended
    expect(performance.now() - started).to.be.within(1_990, 9_000)
    await eventually(() => target.left === 1)
  })

  it('turns a client away that its new target does not admit after its handshake', async () => {
    const first = new Greeting('first', { secureContext })
    const second = new Greeting('second', { secureContext })
    second.admit = () => -1
    const acceptor = new Acceptor(first)
    const port = await portOf(acceptor)
    const raw = connect(port, '127.0.0.1')
    raw.on('error', () => {})
    await new Promise((resolve) => raw.once('connect', resolve))
    const late = await RawClient.connect({ port, tls: { ca: certificate.cert, servername: 'sluice.test' } })
    await late.readUntil('first')
    acceptor.target = second
    const secure = connectTls({ socket: raw, ca: certificate.cert, servername: 'sluice.test' })
    secure.on('error', () => {})
    await new Promise((resolve) => secure.once('close', resolve))
    expect([first.left, second.links.length]).to.deep.equal([1, 0])
    acceptor.destroy()
    await late.close()
    for (const link of first.links) link.destroy()
  })

  it('resets nobody who was connected when it closes', async function () {
    if (process.platform !== 'linux') this.skip()
    // Their SYNs are dropped while the queue is emptied, and repeated after a second.
    this.timeout(20_000)
    const target = new Greeting('hello')
    const acceptor = new Acceptor(target)
    const port = await portOf(acceptor)
    const ends = { served: 0, refused: 0, reset: 0 }
    const clients = Array.from({ length: 400 }, () => outcome(port, ends))
    // In the middle of it: the others are connected, and wait to be accepted.
    await eventually(() => target.links.length >= 40)
    await acceptor.close()
    await Promise.all(clients)
    for (const link of target.links) link.destroy()
    expect(ends.reset).to.equal(0)
    expect(ends.served).to.equal(target.links.length)
    expect(ends.served + ends.refused).to.equal(400)
  })
})

/** Connects, and counts how that ends: greeted, never connected, or reset after having been connected. */
function outcome(port: number, ends: { served: number; refused: number; reset: number }): Promise<void> {
  return new Promise((resolve) => {
    const socket: Socket = connect(port, '127.0.0.1')
    let connected = false
    let greeted = false
    socket.once('connect', () => (connected = true))
    socket.once('data', () => {
      greeted = true
      socket.end()
    })
    socket.on('error', () => {})
    socket.once('close', () => {
      if (greeted) ends.served++
      else if (connected) ends.reset++
      else ends.refused++
      resolve()
    })
  })
}

async function refuses(port: number): Promise<boolean> {
  return RawClient.connect({ port }).then(
    async (client) => {
      await client.close()
      return false
    },
    () => true,
  )
}
