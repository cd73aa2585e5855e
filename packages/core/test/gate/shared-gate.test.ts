import {
  describeGate,
  describeGateModel,
  describeSharedGateModel,
  sharedGateStore,
} from '../../../testkit/src/index.ts'
import { Permit, Waiter } from '../../src/gate/gate.ts'
import { Runtime } from '../../src/runtime.ts'
import * as layout from '../../src/state/layout.ts'
import { SharedControl } from '../../src/state/shared-control.ts'
import { SharedMemory } from '../../src/state/shared-memory.ts'
import { SharedStore } from '../../src/state/shared-store.ts'
import { Turn } from '../../src/turn.ts'
import { Upstream } from '../../src/upstream/upstream.ts'

const store = sharedGateStore({ SharedControl, SharedStore, Turn, Permit, Waiter })
const modules = { SharedControl, SharedStore, SharedMemory, Runtime, Upstream, Permit, Waiter, layout }

describeGate('SharedGate', store)
describeGateModel('SharedGate in one thread', store)
describeSharedGateModel('SharedGate', modules)
