import { answers } from '@sluice/core'
import { HttpListener, type HttpListenerOptions, httpRoute } from '@sluice/http'
import { describeListener, refusedByHttp } from '../../testkit/src/listener-contract.ts'
import type { ListenerMakings } from '../../testkit/src/listener-stand.ts'
import { webSocketUpgrade } from '../src/handler.ts'

const handshake = (path: string) =>
  `GET ${path} HTTP/1.1\r\nHost: contract.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'

const options = ({ generation, config }: ListenerMakings): HttpListenerOptions => ({
  config,
  routes: config.routes.map((route) => httpRoute(config.name, route, generation.way(config, route))),
  tls: undefined,
  upgrades: [webSocketUpgrade],
  handlers: [],
  ordinary: 'upgradeRequired',
  logged: false,
  pseudonym: 'contract',
})

describeListener('HttpListener for WebSockets', {
  protocol: 'websocket',
  make: (makings) => new HttpListener(makings.runtime, options(makings), makings.parts),
  configure: (listener, makings) => (listener as HttpListener).configure(options(makings)),
  opening: handshake('/unit'),
  agreement: 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
  agreed: /\r\n\r\n/,
  refused: (client, code) => refusedByHttp(client, answers[code].http, code),
  halfCloses: true,
  unrouted: handshake('/elsewhere'),
  cutBy: 'fin',
})
