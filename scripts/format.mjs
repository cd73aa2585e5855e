// npm run format: writes every TypeScript file and script as `npm test` wants it. Further words go to biome.
import { join } from 'node:path'
import { run } from './node.mjs'
import { root, setup } from './setup.mjs'

setup()
const biome = join(root, 'node_modules', '@biomejs', 'biome', 'bin', 'biome')
const words = process.argv.slice(2)
process.exit(await run([biome, 'format', '--write', ...(words.length > 0 ? words : ['.'])]))
