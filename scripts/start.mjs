// npm start: sets everything up, then runs one test backend per protocol and Sluice in front of them.
import { join } from 'node:path'
import { nodeFlags } from '../packages/sluice/bin/node-flags.js'
import { endWithNpm, run, sourceCondition } from './node.mjs'
import { root, setup } from './setup.mjs'

setup()
endWithNpm()
// The channel carries nothing: it breaks when this process is killed, and then the demo ends by itself.
const stdio = ['inherit', 'inherit', 'inherit', 'ipc']
process.exit(await run([sourceCondition, ...nodeFlags, join(root, 'packages', 'sluice', 'src', 'demo.ts')], { stdio }))
