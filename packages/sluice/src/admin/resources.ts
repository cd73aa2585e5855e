import type { Proxy } from '../proxy.ts'
import type { Metrics } from './metrics.ts'
import type { Resource } from './resource.ts'
import { patchGate, putEndpoints, reload } from './steering.ts'

/** Everything that the admin listener has, in the order in which `/` lists it. */
export function resourcesOf(proxy: Proxy, metrics: Metrics): readonly Resource[] {
  return [
    {
      path: '/healthz',
      what: '200 while the process is alive',
      methods: { GET: () => ({ status: 200, body: 'ok\n' }) },
    },
    {
      path: '/readyz',
      what: '200 while it takes work, 503 before and from the drain on',
      methods: {
        GET: () => ({ status: proxy.state === 'listening' ? 200 : 503, body: `${proxy.state}\n` }),
      },
    },
    {
      path: '/state',
      what: 'threads, listeners, routes, gates, upstreams and endpoints, as JSON',
      methods: { GET: () => ({ status: 200, body: proxy.stats() }) },
    },
    {
      path: '/metrics',
      what: 'figures for Prometheus',
      methods: {
        GET: async () => ({ status: 200, body: await metrics.text(), type: metrics.contentType }),
      },
    },
    {
      path: '/reload',
      what: 'reads the configuration file anew',
      methods: { POST: () => reload(proxy) },
    },
    {
      path: '/drain',
      what: 'stops accepting, serves what is under way, and ends',
      methods: {
        POST: () => {
          // Answered first: the drain ends with this server.
          setImmediate(() => void proxy.drain())
          return { status: 202, body: { state: 'draining' } }
        },
      },
    },
    {
      path: '/log/reopen',
      what: 'opens the log file anew, after it has been moved away',
      methods: {
        POST: () => {
          if (proxy.reopenLogs()) return { status: 200, body: { file: proxy.config.log.file } }
          return { status: 409, body: { error: 'nothing is logged to a file' } }
        },
      },
    },
    {
      path: '/gates/*',
      what: 'changes `limit`, `queue` or `timeout` of a gate until the next reload: {"limit": 6}',
      takesBody: true,
      methods: { PATCH: ({ name, body }) => patchGate(proxy, name, body) },
    },
    {
      path: '/upstreams/*/endpoints',
      what: 'replaces the endpoints of an upstream until the next reload: ["10.0.0.1:3000"]',
      takesBody: true,
      methods: { PUT: ({ name, body }) => putEndpoints(proxy, name, body) },
    },
  ]
}
