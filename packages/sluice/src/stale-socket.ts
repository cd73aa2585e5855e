import { lstatSync, unlinkSync } from 'node:fs'
import { connect } from 'node:net'
import type { BindAddress } from '@sluice/core'

/**
 * Takes away the file of a unix socket behind which nobody listens any more: a process that was killed leaves it, and
 * the next one could not bind. A file that is no socket stays, and so does a socket that answers.
 */
export async function removeStaleSocket(bind: BindAddress): Promise<void> {
  if (!('path' in bind)) return
  const isSocket = lstatSync(bind.path, { throwIfNoEntry: false })?.isSocket() ?? false
  if (!isSocket) return
  const refused = await new Promise<boolean>((resolve) => {
    const probe = connect(bind.path)
    probe.once('connect', () => {
      probe.destroy()
      resolve(false)
    })
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'))
  })
  if (refused) unlinkSync(bind.path)
}
