// node fastify-http-proxy.mjs LISTEN_PORT UPSTREAM_PORT
import httpProxy from '@fastify/http-proxy'
import Fastify from 'fastify'

const [port, upstreamPort] = process.argv.slice(2).map(Number)
const app = Fastify({ logger: false })
await app.register(httpProxy, {
  upstream: `http://127.0.0.1:${upstreamPort}`,
  websocket: true,
  // undici is what it uses by default; these are the figures of its README.
  undici: { connections: 128, pipelining: 1, keepAliveTimeout: 60_000 },
  replyOptions: {
    rewriteRequestHeaders: (request, headers) => ({ ...headers, 'x-forwarded-for': request.ip }),
  },
})
await app.listen({ port, host: '127.0.0.1' })
