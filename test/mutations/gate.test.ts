// Breaks the gate on purpose: a suite that stays green then is worth nothing.
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect } from 'chai'
import type { LocalGate, Permit, Runtime, Turn, Upstream, Waiter } from '@sluice/core'
import { gateContract, localGateStore, runDispatcherModel, runGateCase, runGateModel } from '@sluice/testkit'
import { type Mutation, mutations } from './mutations.ts'

const core = join(import.meta.dirname, '../../packages/core')

/** What the suites run on, from one copy of the sources. */
interface CoreModules {
  readonly LocalGate: typeof LocalGate
  readonly Turn: typeof Turn
  readonly Permit: typeof Permit
  readonly Waiter: typeof Waiter
  readonly Runtime: typeof Runtime
  readonly Upstream: typeof Upstream
}

/** Copies the sources, breaks the copy and loads it. Throws when what is to be broken is not there. */
async function load(directory: string, mutation?: Mutation): Promise<CoreModules> {
  cpSync(join(core, 'src'), join(directory, 'src'), { recursive: true })
  cpSync(join(core, 'package.json'), join(directory, 'package.json'))
  symlinkSync(join(core, 'node_modules'), join(directory, 'node_modules'))
  if (mutation !== undefined) {
    const file = join(directory, 'src', mutation.file)
    const parts = readFileSync(file, 'utf8').split(mutation.find)
    if (parts.length !== 2) {
      throw new Error(`"${mutation.name}": its text stands ${parts.length - 1} times in ${mutation.file}, not once`)
    }
    writeFileSync(file, parts.join(mutation.replace))
  }
  const modules = ['gate/local-gate.ts', 'turn.ts', 'gate/gate.ts', 'runtime.ts', 'upstream/upstream.ts']
  const loaded = await Promise.all(
    modules.map((file) => import(pathToFileURL(join(directory, 'src', file)).href) as Promise<Partial<CoreModules>>),
  )
  return Object.assign({}, ...loaded) as CoreModules
}

/** Which suites are red, with what they said first. */
async function redSuites(modules: CoreModules): Promise<string[]> {
  const { LocalGate: Local, Turn: LocalTurn, Permit: LocalPermit, Waiter: LocalWaiter } = modules
  const store = localGateStore({ LocalGate: Local, Turn: LocalTurn, Permit: LocalPermit, Waiter: LocalWaiter })
  const red: string[] = []
  const attempt = async (suite: string, run: () => Promise<unknown>) => {
    try {
      await run()
    } catch (error) {
      red.push(`${suite}: ${(error as Error).message}`)
    }
  }
  for (const fact of gateContract) await attempt(`contract, ${fact.title}`, () => runGateCase(fact, store))
  await attempt('model', () => runGateModel(store, { seed: 7, steps: 5_000 }))
  await attempt('dispatcher', () => runDispatcherModel(modules, { seed: 7, steps: 5_000 }))
  return red
}

describe('mutations of the gate and the dispatcher', () => {
  let directory: string

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sluice-mutation-'))
  })

  afterEach(() => rmSync(directory, { recursive: true, force: true }))

  it('leave nothing red without a mutation', async () => {
    expect(await redSuites(await load(directory))).to.deep.equal([])
  })

  it('are refused when the text that they break is gone', async () => {
    const missing = { name: 'missing', file: 'gate/gate.ts', find: 'no such text', replace: '' }
    const error = await load(directory, missing).catch((caught: unknown) => caught)
    expect((error as Error).message).to.equal('"missing": its text stands 0 times in gate/gate.ts, not once')
  })

  for (const mutation of mutations) {
    it(`turn a suite red: ${mutation.name}`, async () => {
      expect(await redSuites(await load(directory, mutation))).to.have.length.greaterThan(0)
    })
  }
})
