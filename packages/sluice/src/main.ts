// The `sluice` command, on a Node that is new enough (bin/sluice.js sees to that).
import { readFileSync } from 'node:fs'
import { sluice } from './commands/cli.ts'

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }

process.exitCode = await sluice(process.argv.slice(2), version)
// The launcher's channel must not keep the process.
if (process.connected) process.disconnect()
