// node fast-proxy.mjs LISTEN_PORT UPSTREAM_PORT [agent]: on undici, or with `agent` on Node's own http.Agent
import http from 'node:http'
import fastProxy from 'fast-proxy'

const [port, upstreamPort] = process.argv.slice(2, 4).map(Number)
const { proxy } = fastProxy({
  base: `http://127.0.0.1:${upstreamPort}`,
  // The figures of its README. Pipelining is what makes it the fastest of the Node peers, and what puts one
  // client's request behind another's.
  ...(process.argv[4] === 'agent'
    ? { keepAlive: true, maxSockets: 2048 }
    : { undici: { connections: 100, pipelining: 10 } }),
})
const options = {
  rewriteRequestHeaders: (request, headers) => {
    headers['x-forwarded-for'] = request.socket.remoteAddress
    return headers
  },
}
http.createServer((request, response) => proxy(request, response, request.url, options)).listen(port, '127.0.0.1')
