import { createProxy, defineConfig } from 'sluice'

const proxy = await createProxy(
  defineConfig({
    listeners: {
      web: { bind: '127.0.0.1:0', protocol: 'http', upstream: 'app', gate: { limit: 6, queue: 100, timeout: '2s' } },
    },
    upstreams: { app: { endpoints: ['127.0.0.1:3001'] } },
  }),
)
await proxy.listen() // resolves when every listener is bound
console.log(proxy.addresses.web) // { host: '127.0.0.1', port: … }
console.log(proxy.stats().gates) // running, waiting, oldest waiter
await proxy.drain() // serves what is under way; proxy.close() ends it at once
