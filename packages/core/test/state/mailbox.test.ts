import { expect } from 'chai'
import { Mailbox, mail } from '../../src/state/mailbox.ts'
import { Recovery } from '../../src/state/recovery.ts'
import { SharedMemory } from '../../src/state/shared-memory.ts'

describe('Mailbox', () => {
  let memory: SharedMemory
  let reader: Mailbox
  let writer: Mailbox

  beforeEach(() => {
    memory = SharedMemory.create({ threads: 2, gates: 1, endpoints: 1, listeners: 1, waiters: 1 })
    reader = new Mailbox(memory, 0)
    writer = new Mailbox(memory, 1)
  })

  afterEach(() => {
    reader.close()
    writer.close()
  })

  it('brings what was asked before it was opened', () => {
    writer.post(0, mail.granted)
    const read: number[] = []
    reader.open((what) => read.push(what))
    expect(read).to.deep.equal([mail.granted])
  })

  it('wakes once for all that is asked until it is read', async () => {
    const read: number[] = []
    const woken = new Promise<void>((resolve) => {
      reader.open((what) => {
        read.push(what)
        resolve()
      })
    })
    writer.post(0, mail.granted)
    writer.post(0, mail.admit)
    writer.post(0, mail.granted)
    await woken
    await new Promise(setImmediate)
    expect(read).to.deep.equal([mail.granted | mail.admit])
  })

  it('loses nothing that is asked while it is being read', async () => {
    const read: number[] = []
    await new Promise<void>((resolve) => {
      reader.open((what) => {
        read.push(what)
        if (read.length === 1) writer.post(0, mail.room)
        else resolve()
      })
      writer.post(0, mail.starved)
    })
    expect(read).to.deep.equal([mail.starved, mail.room])
  })

  it('wakes the thread that is asked and no other', async () => {
    const other: number[] = []
    writer.open((what) => other.push(what))
    const woken = new Promise<number>((resolve) => reader.open(resolve))
    writer.post(0, mail.recover)
    expect(await woken).to.equal(mail.recover)
    expect(other).to.deep.equal([])
  })

  it('hears again once a thread is recovered that died between its mail and the wake-up', async () => {
    const read: number[] = []
    const woken = new Promise<void>((resolve) => {
      reader.open((what) => {
        read.push(what)
        resolve()
      })
    })
    Atomics.or(memory.words, memory.threadPlace(0, 'mail'), mail.granted)
    await new Recovery(memory).recover(1, { gates: [], endpointsOf: () => [] }, () => {})
    await woken
    expect(read).to.deep.equal([mail.granted | mail.recover])
  })

  it('reads nothing any more once it is closed', async () => {
    const read: number[] = []
    reader.open((what) => read.push(what))
    reader.close()
    writer.post(0, mail.admit)
    await new Promise(setImmediate)
    await new Promise(setImmediate)
    expect(read).to.deep.equal([])
  })
})
