import {
  describeGate,
  describeGateModel,
  describeGateThreads,
  describeSharedGateModel,
  sharedGateStore,
} from '../../../testkit/src/index.ts'
import { Turn } from '../../src/turn.ts'
import { sharedModules } from './gate-ends.ts'

const store = sharedGateStore({ ...sharedModules, Turn })

describeGate('SharedGate', store)
describeGateModel('SharedGate in one thread', store)
describeSharedGateModel('SharedGate', sharedModules)
describeGateThreads('SharedGate', new URL('../../src/', import.meta.url), sharedModules)
