// node http-proxy.mjs LISTEN_PORT UPSTREAM_PORT
import http from 'node:http'
import httpProxy from 'http-proxy'

const [port, upstreamPort] = process.argv.slice(2).map(Number)
// Without an agent http-proxy opens a connection per request.
const agent = new http.Agent({ keepAlive: true, maxFreeSockets: 1024 })
const proxy = httpProxy.createProxyServer({ target: { host: '127.0.0.1', port: upstreamPort }, agent, xfwd: true })
proxy.on('error', (error, _request, response) => {
  if (response instanceof http.ServerResponse && !response.headersSent) response.writeHead(502)
  response.end?.(error.message)
})
const server = http.createServer((request, response) => proxy.web(request, response))
server.on('upgrade', (request, socket, head) => proxy.ws(request, socket, head))
server.listen(port, '127.0.0.1')
