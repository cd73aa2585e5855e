import { expect } from 'chai'
import { type Task, Turn } from '../src/turn.ts'

describe('Turn', () => {
  const said: string[] = []
  const task = (name: string, run: () => void = () => {}): Task => ({
    run() {
      said.push(name)
      run()
    },
    fault(fault) {
      said.push(`${name}: ${(fault as Error).message}`)
    },
  })

  beforeEach(() => said.splice(0))

  it('runs nothing inside the call that puts it off', () => {
    new Turn().put(task('a'))
    expect(said).to.deep.equal([])
  })

  it('runs its tasks in order before the event loop goes on', async () => {
    const turn = new Turn()
    setImmediate(() => said.push('event loop'))
    turn.put(task('a'))
    turn.put(task('b'))
    await new Promise((resolve) => setImmediate(resolve))
    expect(said).to.deep.equal(['a', 'b', 'event loop'])
  })

  it('runs what a task puts off after those that were there', async () => {
    const turn = new Turn()
    turn.put(task('a', () => turn.put(task('c'))))
    turn.put(task('b'))
    await Promise.resolve()
    await Promise.resolve()
    expect(said).to.deep.equal(['a', 'b', 'c'])
  })

  it('tells a task of its own fault, and runs the others', async () => {
    const turn = new Turn()
    turn.put(
      task('a', () => {
        throw new Error('broken')
      }),
    )
    turn.put(task('b'))
    await Promise.resolve()
    expect(said).to.deep.equal(['a', 'a: broken', 'b'])
  })

  it('runs the others even when a task breaks beyond its fault path, and lets that be seen', async () => {
    const turn = new Turn()
    const listeners = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    const seen = new Promise<Error>((resolve) => process.once('uncaughtException', resolve))
    try {
      turn.put({
        run() {
          throw new Error('broken')
        },
        fault(fault) {
          throw fault
        },
      })
      turn.put(task('b'))
      turn.put(task('c'))
      expect((await seen).message).to.equal('broken')
      await Promise.resolve()
      expect(said).to.deep.equal(['b', 'c'])
    } finally {
      for (const listener of listeners) process.on('uncaughtException', listener)
    }
  })
})
