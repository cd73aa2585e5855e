#!/usr/bin/env node
// The `sluice` command. Plain JavaScript, since the Node that runs it may be too old for Sluice itself: it finds one
// that is not, and runs it there.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { nodeFlags } from './node-flags.js'

const need = { major: 22, minor: 19 }
const inClone = (path) => fileURLToPath(new URL(path, import.meta.url))

endWithNpm()
const source = inClone('../src/main.ts')
if (!existsSync(source)) {
  if (!newEnough()) refuse('https://nodejs.org has newer ones.')
  else await import('../dist/main.js')
} else if (newEnough() && resolvesToSources()) {
  // Whoever set the condition has chosen this Node too, such as the container's.
  await import('../src/main.ts')
} else {
  const pinned = inClone(`../../../node_modules/node/bin/${process.platform === 'win32' ? 'node.exe' : 'node'}`)
  if (existsSync(pinned)) run(pinned)
  else if (newEnough()) run(process.execPath)
  else refuse('`npm run setup` fetches one for this clone.')
}

/** npx runs commands by `sh -c`; killed, it kills that shell and leaves what the shell has started. */
function endWithNpm() {
  if (process.env.npm_execpath === undefined) return
  const parent = process.ppid
  const timer = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(timer)
    process.kill(process.pid, 'SIGTERM')
  }, 500)
  timer.unref()
}

function newEnough() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  return major > need.major || (major === need.major && minor >= need.minor)
}

function refuse(advice) {
  console.error(`Sluice needs Node ${need.major}.${need.minor} or newer, and this is ${process.version}. ${advice}`)
  process.exitCode = 1
}

/** Whether `--conditions=@sluice/source` is in force, so that packages of a clone resolve to what is there. */
function resolvesToSources() {
  try {
    return import.meta.resolve('@sluice/core').endsWith('.ts')
  } catch {
    return false
  }
}

/** Runs the sources on another Node, as if it were this process: signals go down, the exit code comes up. */
function run(node) {
  // The channel carries nothing. It breaks when this process is killed, and then the child drains by itself.
  const child = spawn(node, ['--conditions=@sluice/source', ...nodeFlags, source, ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  })
  // Ctrl-C reaches the child from the terminal too; it takes what comes in one moment for one.
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2']
  for (const signal of signals) process.on(signal, () => child.kill(signal))
  child.once('error', (error) => {
    console.error(`${node} cannot be run: ${error.message}`)
    process.exitCode = 1
  })
  child.once('exit', (code, signal) => {
    if (signal === null) process.exit(code)
    // Ends as the child did, so that whoever waits sees the same.
    for (const name of signals) process.removeAllListeners(name)
    process.kill(process.pid, signal)
  })
}
