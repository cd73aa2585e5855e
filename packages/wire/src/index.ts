export * from './http1/index.ts'
export * from './http2/index.ts'
export * from './link/index.ts'
export * from './websocket/index.ts'
