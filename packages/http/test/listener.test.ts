import { answers } from '@sluice/core'
import { describeListener, refusedByHttp } from '../../testkit/src/listener-contract.ts'
import type { ListenerMakings } from '../../testkit/src/listener-stand.ts'
import { HttpListener } from '../src/listener.ts'
import { type HttpListenerOptions, httpRoute } from '../src/options.ts'

const options = ({ generation, config }: ListenerMakings): HttpListenerOptions => ({
  config,
  routes: config.routes.map((route) => httpRoute(config.name, route, generation.way(config, route))),
  tls: undefined,
  upgrades: [],
  handlers: [],
  ordinary: 'served',
  logged: false,
  pseudonym: 'contract',
})

describeListener('HttpListener', {
  protocol: 'http',
  make: (makings) => new HttpListener(makings.runtime, options(makings), makings.parts),
  configure: (listener, makings) => (listener as HttpListener).configure(options(makings)),
  opening: 'GET /unit HTTP/1.1\r\nHost: contract.example\r\n\r\n',
  agreement: 'HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\nbegun',
  agreed: /begun/,
  refused: (client, code) => refusedByHttp(client, answers[code].http, code),
  halfCloses: false,
  unrouted: 'GET /elsewhere HTTP/1.1\r\nHost: contract.example\r\n\r\n',
  cutBy: 'fin',
})
