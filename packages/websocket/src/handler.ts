import type { UpgradeHandler } from '@sluice/http'
import { fieldId, type RequestHead } from '@sluice/wire'
import { WebSocketExchange } from './exchange.ts'

/**
 * Takes WebSocket handshakes on an HTTP listener (RFC 6455 §4.1). The version is the upstream's business: it answers
 * a foreign one with 426 and its own.
 */
export const webSocketUpgrade: UpgradeHandler = {
  when: isWebSocketHandshake,
  start: (session) => new WebSocketExchange(session),
}

function isWebSocketHandshake(head: RequestHead): boolean {
  const upgrade = head.indexOf(fieldId.upgrade)
  return upgrade >= 0 && head.method === 'GET' && head.valueIs(upgrade, 'websocket')
}
