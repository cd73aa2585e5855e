import { type BindAddress, formatAddress } from '@sluice/core'
import { bindFailure } from '../bind-failure.ts'
import { StartError } from '../start-error.ts'

/** Why an address could not be bound, for whoever wrote it. */
export function bindError(listener: string, bind: BindAddress, error: unknown): StartError {
  const path = ['listeners', listener, 'bind']
  return new StartError(`${path.join('.')}: ${formatAddress(bind)} ${bindFailure(error)}`, 1, path)
}
