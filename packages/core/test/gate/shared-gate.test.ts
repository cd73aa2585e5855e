import { describeGate, describeGateModel, sharedGateStore } from '../../../testkit/src/index.ts'
import { Permit, Waiter } from '../../src/gate/gate.ts'
import { SharedControl } from '../../src/state/shared-control.ts'
import { SharedStore } from '../../src/state/shared-store.ts'
import { Turn } from '../../src/turn.ts'

const store = sharedGateStore({ SharedControl, SharedStore, Turn, Permit, Waiter })

describeGate('SharedGate', store)
describeGateModel('SharedGate in one thread', store)
