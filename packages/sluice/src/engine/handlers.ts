import type { Config, ListenerConfig } from '@sluice/core'
import { grpcHandlers } from '@sluice/grpc'
import type { HttpListenerOptions } from '@sluice/http'
import { StartError } from '../start-error.ts'

/** Who takes the requests of a listener that are more than requests of HTTP. Rejects with a `StartError`. */
export async function handlersOf(config: ListenerConfig): Promise<HttpListenerOptions['handlers']> {
  const { name, protocol, other, health, web, transcode } = config
  if (protocol === 'websocket' || protocol === 'tcp') return []
  try {
    return await grpcHandlers({ only: protocol === 'grpc' && other === 'refuse', health, web, transcode })
  } catch (error) {
    const path = ['listeners', name, 'transcode']
    throw new StartError(`listeners.${name}.transcode: ${(error as Error).message}`, 1, path)
  }
}

/** What becomes of requests that are neither WebSockets nor calls where these are what is served. */
export function ordinaryOf({ protocol, other }: ListenerConfig): HttpListenerOptions['ordinary'] {
  if (protocol === 'websocket') return 'upgradeRequired'
  return protocol === 'grpc' && other === 'refuse' ? 'unsupported' : 'served'
}

/** Reads what listeners transcode by. Rejects with a `StartError` when it cannot be used. */
export async function checkTranscoding({ listeners }: Config): Promise<void> {
  for (const listener of listeners) if (listener.transcode !== undefined) await handlersOf(listener)
}
