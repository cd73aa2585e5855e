export { TcpConnection, tcpConnector } from './connection.ts'
export { TcpExchange } from './exchange.ts'
export { TcpListener } from './listener.ts'
export type { TcpListenerOptions } from './options.ts'
