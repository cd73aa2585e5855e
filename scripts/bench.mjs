// npm run bench: CPU time per request of Sluice and its peers, side by side. `npm run bench -- --help` tells the rest.
import { join } from 'node:path'
import { endWithNpm, run, sourceCondition } from './node.mjs'
import { root, setup } from './setup.mjs'

setup()
endWithNpm()
process.exit(await run([sourceCondition, join(root, 'bench', 'main.ts'), ...process.argv.slice(2)]))
