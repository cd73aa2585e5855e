// Runs a command on the Node that the workspace pins (the npm package `node`), whatever Node runs this script.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { root } from './setup.mjs'

export const pinnedNode = join(root, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
/** Packages resolve to their sources, not to their `dist`. */
export const sourceCondition = '--conditions=@sluice/source'

/**
 * Runs Node with `args` and resolves with its exit code. What it prints goes to `output`, a function, if there is one.
 *
 * Signals are passed on. SIGINT is the exception on a terminal: Ctrl-C reaches the whole foreground group, and a
 * second one, passed on by us, would mean "stop at once".
 */
export function run(args, { node = pinnedNode, output, ...options } = {}) {
  return new Promise((resolve, reject) => {
    const stdio = output === undefined ? 'inherit' : ['ignore', 'pipe', 'pipe']
    const child = spawn(node, args, { cwd: root, stdio, ...options })
    child.stdout?.on('data', output)
    child.stderr?.on('data', output)
    const forward = (signal) => {
      if (signal === 'SIGINT' && process.stdin.isTTY) return
      child.kill(signal)
    }
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2']) process.on(signal, forward)
    child.once('error', reject)
    child.once('close', (code, signal) => {
      for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2']) process.removeListener(name, forward)
      resolve(signal === null ? code : 1)
    })
  })
}

/**
 * Ends this process, as SIGTERM does, when npm is killed: npm runs its scripts by `sh -c`, and a signal to npm ends
 * that shell and leaves what the shell has started, with all its ports.
 */
export function endWithNpm() {
  if (process.env.npm_execpath === undefined) return
  const parent = process.ppid
  const timer = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(timer)
    process.kill(process.pid, 'SIGTERM')
  }, 500)
  timer.unref()
}
