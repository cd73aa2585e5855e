export { webSocketUpgrade } from './handler.ts'
export { WebSocketExchange } from './exchange.ts'
