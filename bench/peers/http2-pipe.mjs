// node http2-pipe.mjs LISTEN_PORT UPSTREAM_PORT: the HTTP/2 proxy that node:http2 suggests, streams piped both ways. Each
// client connection has an upstream session of its own.
import http2 from 'node:http2'

const [port, upstreamPort] = process.argv.slice(2).map(Number)
const settings = { maxConcurrentStreams: 1024 }
const server = http2.createServer({ settings })
server.on('session', (client) => {
  client.on('error', () => client.destroy())
  const upstream = http2.connect(`http://127.0.0.1:${upstreamPort}`, { settings })
  upstream.on('error', () => client.destroy())
  upstream.on('close', () => client.destroy())
  client.on('close', () => upstream.destroy())
  client.on('stream', (downstream, headers) => {
    const forwarded = headers['x-forwarded-for']
    const address = client.socket.remoteAddress
    headers['x-forwarded-for'] = forwarded === undefined ? address : `${forwarded}, ${address}`
    const request = upstream.request(headers)
    let trailers
    request.on('response', (response) => {
      if (downstream.destroyed) return
      downstream.respond(response, { waitForTrailers: true })
      request.pipe(downstream)
    })
    request.on('trailers', (fields) => {
      trailers = fields
    })
    downstream.on('wantTrailers', () => {
      if (trailers === undefined) downstream.close()
      else downstream.sendTrailers(trailers)
    })
    request.on('error', () => downstream.close(http2.constants.NGHTTP2_INTERNAL_ERROR))
    downstream.on('error', () => request.close(http2.constants.NGHTTP2_CANCEL))
    downstream.on('aborted', () => request.close(http2.constants.NGHTTP2_CANCEL))
    downstream.pipe(request)
  })
})
server.listen(port, '127.0.0.1')
