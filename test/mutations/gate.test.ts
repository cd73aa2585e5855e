// Breaks the gate on purpose: a suite that stays green then is worth nothing.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import {
  gateContract,
  localGateStore,
  runDispatcherModel,
  runGateCase,
  runGateModel,
  runGateThreads,
  runSharedGateModel,
  sharedGateStore,
} from '@sluice/testkit'
import { type CoreModules, loadCore } from './broken-core.ts'
import { mutations } from './mutations.ts'
import { sharedMutations, threadMutations } from './shared-mutations.ts'

/** A suite over one copy of the sources; rejects when it is red. */
type Suite = readonly [title: string, run: (modules: CoreModules) => Promise<unknown>]

const localSuites: readonly Suite[] = [
  ...gateContract.map(
    (fact): Suite => [`contract, ${fact.title}`, (modules) => runGateCase(fact, localGateStore(modules))],
  ),
  ['model', (modules) => runGateModel(localGateStore(modules), { seed: 7, steps: 5_000 })],
  ['dispatcher', (modules) => runDispatcherModel(modules, { seed: 7, steps: 5_000 })],
]

const sharedSuites: readonly Suite[] = [
  ['ends', (modules) => runSharedGateModel(modules, { seed: 7, steps: 10_000, threads: 3 })],
  ['ends of two', (modules) => runSharedGateModel(modules, { seed: 8, steps: 30_000, threads: 2 })],
  ['model', (modules) => runGateModel(sharedGateStore(modules), { seed: 7, steps: 5_000 })],
  ...gateContract.map(
    (fact): Suite => [`contract, ${fact.title}`, (modules) => runGateCase(fact, sharedGateStore(modules))],
  ),
]

const threadSuites: readonly Suite[] = [
  [
    'threads',
    ({ source, ...modules }) => runGateThreads(source, modules, { threads: 3, steps: 300_000, kills: 0, seed: 7 }),
  ],
]

/** The first suite that is red, with what it said; undefined: all are green. */
async function firstRed(suites: readonly Suite[], modules: CoreModules): Promise<string | undefined> {
  for (const [title, run] of suites) {
    try {
      await run(modules)
    } catch (error) {
      return `${title}: ${(error as Error).message}`
    }
  }
  return undefined
}

describe('mutations of the gate and the dispatcher', () => {
  let directory: string

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sluice-mutation-'))
  })

  afterEach(() => rmSync(directory, { recursive: true, force: true }))

  it('leave nothing red without a mutation', async () => {
    const suites = [...localSuites, ...sharedSuites, ...threadSuites]
    expect(await firstRed(suites, await loadCore(directory))).to.equal(undefined)
  })

  it('are refused when the text that they break is gone', async () => {
    const missing = { name: 'missing', file: 'gate/gate.ts', find: 'no such text', replace: '' }
    const error = await loadCore(directory, missing).catch((caught: unknown) => caught)
    expect((error as Error).message).to.equal('"missing": its text stands 0 times in gate/gate.ts, not once')
  })

  const all = [
    ...mutations.map((mutation) => ({ mutation, suites: localSuites })),
    ...sharedMutations.map((mutation) => ({ mutation, suites: sharedSuites })),
    ...threadMutations.map((mutation) => ({ mutation, suites: threadSuites })),
  ]
  for (const { mutation, suites } of all) {
    it(`turn a suite red: ${mutation.name}`, async () => {
      expect(await firstRed(suites, await loadCore(directory, mutation))).to.be.a('string')
    })
  }
})
