export { FakeClock } from './fake-clock.ts'
export { describeGate, GateBench, type GateCase, gateContract, runGateCase } from './gate-contract.ts'
export { describeGateModel, type GateModelOptions, type GateModelReport, runGateModel } from './gate-model.ts'
export { type GateFixture, type GateStore, type Unit, unitMaker } from './gate-store.ts'
export { type SharedGateModules, sharedGateStore } from './shared-gate-store.ts'
export { type LocalGateModules, localGateStore } from './local-gate-store.ts'
export {
  GateEnd,
  type GateEndOptions,
  sharedConfig,
  sharedGateIds,
  type SharedModules,
} from './gate-end.ts'
export { describeGateThreads, type GateThreadsOptions, type GateThreadsReport, runGateThreads } from './gate-threads.ts'
export { Death, MortalMemory, seeThrough } from './mortal-memory.ts'
export {
  describeSharedGateModel,
  runSharedGateModel,
  type SharedGateModelOptions,
  type SharedGateModelReport,
} from './shared-gate-model.ts'
export { type LayoutWords, SharedTruth, type SlotView } from './shared-truth.ts'
export * from './http2/index.ts'
export * from './raw/index.ts'
export { type Scale, scale, scaled } from './scale.ts'
export { SeededRandom } from './seeded-random.ts'
export { type DispatcherModelReport, type DispatcherModules, runDispatcherModel } from './dispatcher-model.ts'
export { startUpstream, upstreamConfig, type UpstreamInput } from './upstream-config.ts'
export { describeConnection } from './connection-contract.ts'
export type { MultiplexedPeer } from './multiplexed-contract.ts'
