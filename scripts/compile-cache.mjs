// Required by mocha: what tests start compiles its sources once, not at every start. Set here and not for mocha itself,
// which compiles copies of the sources that nobody will see again.
import { join } from 'node:path'
import { root } from './setup.mjs'

process.env.NODE_COMPILE_CACHE ??= join(root, 'node_modules', '.cache', 'node')
