import { connect, type Socket } from 'node:net'
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises'
import { h2, settingsFrame } from '../../../packages/testkit/src/http2/index.ts'
import { http2ErrorName } from '../../../packages/wire/src/index.ts'
import type { Attack } from './attacks.ts'
import { Line } from './line.ts'
import type { Target } from './targets.ts'

/** Between two words of a slow attacker. */
const paceMs = 100

/** What came of the connections of an attack: how often each end, and each answer on a stream. */
export class Toll {
  connections = 0
  readonly #counts = new Map<string, number>()

  count(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1)
  }

  of(what: string): number {
    return this.#counts.get(what) ?? 0
  }

  /** All that ended connections. */
  get ends(): string[] {
    return [...this.#counts.keys()].filter((what) => what.startsWith('GOAWAY ') || what === 'cut')
  }

  toString(): string {
    return [...this.#counts].map(([what, count]) => `${count} × ${what}`).join(', ')
  }
}

/** One peer that attacks, on connection after connection, until it is told to stop. */
export class Attacker {
  readonly #attack: Attack
  readonly #target: Target
  readonly #port: number
  readonly #toll: Toll
  #socket: Socket | undefined
  #attacking = true
  readonly #over: Promise<void>

  constructor(attack: Attack, target: Target, port: number, toll: Toll) {
    this.#attack = attack
    this.#target = target
    this.#port = port
    this.#toll = toll
    this.#over = this.#run()
  }

  async stop(): Promise<void> {
    this.#attacking = false
    this.#socket?.destroy()
    await this.#over
  }

  async #run(): Promise<void> {
    while (this.#attacking) await this.#connection()
  }

  async #connection(): Promise<void> {
    const socket = connect({ port: this.#port, host: '127.0.0.1', noDelay: true })
    this.#socket = socket
    this.#toll.connections++
    socket.on('error', () => undefined)
    const closed = new Promise<'closed'>((resolve) => socket.once('close', () => resolve('closed')))
    const reader = new FrameCounter(this.#toll)
    if (this.#attack.reads === false) socket.pause()
    else {
      socket.on('data', (bytes: Buffer) => reader.read(bytes))
      socket.on('end', () => socket.destroy())
    }
    await this.#say(socket, closed)
    await closed
    if (reader.goaway !== undefined) this.#toll.count(`GOAWAY ${reader.goaway}`)
    else if (this.#attacking) this.#toll.count('cut')
  }

  async #say(socket: Socket, closed: Promise<unknown>): Promise<void> {
    const { settings = [], begins, goesOn, rests, speaks } = this.#attack
    if (speaks === false) return
    if (speaks === 'preface') return void (await written(socket, preface, closed))
    const line = new Line(this.#target)
    await written(socket, Buffer.concat([preface, settingsFrame(...settings)]), closed)
    if (begins !== undefined) await written(socket, begins(line), closed)
    while (!socket.destroyed && this.#attacking && goesOn !== undefined) {
      await written(socket, goesOn(line), closed)
      // What the peer says is heard in between.
      await (rests === true ? Promise.race([pause(paceMs), closed]) : nextTurn())
    }
  }
}

const preface = Buffer.from(h2.preface, 'latin1')

function written(socket: Socket, bytes: Buffer, closed: Promise<unknown>): Promise<unknown> {
  return Promise.race([closed, new Promise<void>((resolve) => socket.write(bytes, () => resolve()))])
}

/** Reads frames for their types alone. */
class FrameCounter {
  goaway: string | undefined
  readonly #toll: Toll
  #rest: Buffer = Buffer.alloc(0)

  constructor(toll: Toll) {
    this.#toll = toll
  }

  read(bytes: Buffer): void {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    let at = 0
    while (all.length - at >= 9) {
      const end = at + 9 + all.readUIntBE(at, 3)
      if (end > all.length) break
      this.#frame(all[at + 3]!, all.subarray(at + 9, end))
      at = end
    }
    this.#rest = Buffer.from(all.subarray(at))
  }

  #frame(type: number, payload: Buffer): void {
    if (type === h2.headers) this.#toll.count('answer')
    else if (type === h2.rstStream) this.#toll.count(`RST_STREAM ${http2ErrorName(payload.readUInt32BE())}`)
    else if (type === h2.goaway) {
      const why = payload.subarray(8).toString('latin1')
      this.goaway = `${http2ErrorName(payload.readUInt32BE(4))}${why === '' ? '' : `: ${why}`}`
    }
  }
}
