import { answers } from '@sluice/core'
import { describeListener, type ListenerStand, refusedByHttp } from '../../testkit/src/listener-contract.ts'
import { HttpListener } from '../src/listener.ts'
import { type HttpListenerOptions, httpRoute } from '../src/options.ts'

const options = ({ generation, config }: ListenerStand): HttpListenerOptions => ({
  config,
  routes: config.routes.map((route) => httpRoute(config.name, route, generation.way(config, route))),
  tls: undefined,
  upgrades: [],
  upgradesOnly: false,
  logged: false,
  pseudonym: 'contract',
})

describeListener('HttpListener', {
  protocol: 'http',
  make: (stand) => new HttpListener(stand.runtime, options(stand), stand.parts),
  configure: (listener, stand) => (listener as HttpListener).configure(options(stand)),
  opening: 'GET /unit HTTP/1.1\r\nHost: contract.example\r\n\r\n',
  agreement: 'HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\nbegun',
  agreed: /begun/,
  refused: (client, code) => refusedByHttp(client, answers[code].http, code),
  halfCloses: false,
  unrouted: 'GET /elsewhere HTTP/1.1\r\nHost: contract.example\r\n\r\n',
  cutBy: 'fin',
})
