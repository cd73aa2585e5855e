// node httpxy.mjs LISTEN_PORT UPSTREAM_PORT
import http from 'node:http'
import { createProxyServer } from 'httpxy'

const [port, upstreamPort] = process.argv.slice(2).map(Number)
// httpxy has a keep-alive agent of its own; this one is as large as the others'.
const agent = new http.Agent({ keepAlive: true, maxFreeSockets: 1024 })
const proxy = createProxyServer({ target: `http://127.0.0.1:${upstreamPort}`, agent, xfwd: true })
const server = http.createServer((request, response) => {
  proxy.web(request, response).catch((error) => {
    if (!response.headersSent) response.writeHead(502)
    response.end(error.message)
  })
})
server.on('upgrade', (request, socket, head) => {
  proxy
    .ws(request, socket, { target: `ws://127.0.0.1:${upstreamPort}`, xfwd: true }, head)
    .catch(() => socket.destroy())
})
server.listen(port, '127.0.0.1')
