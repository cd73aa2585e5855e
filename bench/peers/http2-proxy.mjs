// node http2-proxy.mjs LISTEN_PORT UPSTREAM_PORT
import http from 'node:http'
import proxy from 'http2-proxy'

const [port, upstreamPort] = process.argv.slice(2).map(Number)
const agent = new http.Agent({ keepAlive: true, maxFreeSockets: 1024 })
const forwarded = (request, headers) => {
  headers['x-forwarded-for'] = request.socket.remoteAddress
  headers['x-forwarded-proto'] = 'http'
  headers['x-forwarded-host'] = request.headers.host
}
const web = {
  hostname: '127.0.0.1',
  port: upstreamPort,
  // By default http2-proxy opens a connection per request; `onReq` may make the request with an agent.
  onReq: (request, options) => {
    forwarded(request, options.headers)
    options.agent = agent
    return http.request(options)
  },
}
const socketTo = {
  hostname: '127.0.0.1',
  port: upstreamPort,
  onReq: (request, { headers }) => forwarded(request, headers),
}
const server = http.createServer((request, response) => {
  proxy.web(request, response, web, (error) => {
    if (!error) return
    if (!response.headersSent) response.writeHead(502)
    response.end(error.message)
  })
})
server.on('upgrade', (request, socket, head) => {
  proxy.ws(request, socket, head, socketTo, (error) => {
    if (error) socket.destroy()
  })
})
server.listen(port, '127.0.0.1')
