// node pipe.mjs LISTEN_PORT UPSTREAM_PORT: the TCP proxy that everybody writes first, `a.pipe(b).pipe(a)`
import net from 'node:net'

const [port, upstreamPort] = process.argv.slice(2).map(Number)
net
  .createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
    const upstream = net.connect({ port: upstreamPort, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
    client.on('error', () => upstream.destroy())
    upstream.on('error', () => client.destroy())
    client.pipe(upstream)
    upstream.pipe(client)
  })
  .listen(port, '127.0.0.1')
