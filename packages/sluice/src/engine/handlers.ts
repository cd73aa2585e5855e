import { existsSync } from 'node:fs'
import type { Config, ListenerConfig } from '@sluice/core'
import { grpcHandlers, Transcoder } from '@sluice/grpc'
import type { HttpListenerOptions } from '@sluice/http'
import { StartError } from '../start-error.ts'

/** Who takes the requests of a listener that are more than requests of HTTP. Rejects with a `StartError`. */
export async function handlersOf(config: ListenerConfig): Promise<HttpListenerOptions['handlers']> {
  const { name, protocol, other, health, web, transcode } = config
  if (protocol === 'websocket' || protocol === 'tcp') return []
  checkIncludes(config)
  try {
    return await grpcHandlers({ only: protocol === 'grpc' && other === 'refuse', health, web, transcode })
  } catch (error) {
    throw transcodeError(name, error)
  }
}

function transcodeError(listener: string, error: unknown): StartError {
  const path = ['listeners', listener, 'transcode']
  return new StartError(`listeners.${listener}.transcode: ${(error as Error).message}`, 1, path)
}

/** A mistyped directory would show only when an import is not found, and then as if the import were wrong. */
function checkIncludes({ name, transcode }: ListenerConfig): void {
  for (const [i, include] of (transcode?.includes ?? []).entries()) {
    // With the dot it is none where a file stands.
    if (existsSync(`${include}/.`)) continue
    const path = ['listeners', name, 'transcode', 'includes', i]
    throw new StartError(`listeners.${name}.transcode.includes[${i}]: ${include}: there is no such directory.`, 1, path)
  }
}

/** What becomes of requests that are neither WebSockets nor calls where these are what is served. */
export function ordinaryOf({ protocol, other }: ListenerConfig): HttpListenerOptions['ordinary'] {
  if (protocol === 'websocket') return 'upgradeRequired'
  return protocol === 'grpc' && other === 'refuse' ? 'unsupported' : 'served'
}

/** What a listener transcodes by, if it does. Rejects with a `StartError` when it cannot be used. */
export async function loadTranscoder(listener: ListenerConfig): Promise<Transcoder | undefined> {
  const { name, transcode } = listener
  if (transcode === undefined) return undefined
  checkIncludes(listener)
  const { protos, includes, services = [] } = transcode
  try {
    return await Transcoder.load({ protos, includes, services })
  } catch (error) {
    throw transcodeError(name, error)
  }
}

/** Reads what listeners transcode by. Rejects with a `StartError` when it cannot be used. */
export async function checkTranscoding({ listeners }: Config): Promise<void> {
  for (const listener of listeners) await loadTranscoder(listener)
}
