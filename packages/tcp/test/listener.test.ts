import { answers } from '@sluice/core'
import { expect } from 'chai'
import { describeListener } from '../../testkit/src/listener-contract.ts'
import type { ListenerMakings } from '../../testkit/src/listener-stand.ts'
import { TcpListener } from '../src/listener.ts'
import type { TcpListenerOptions } from '../src/options.ts'

const options = ({ generation, config }: ListenerMakings): TcpListenerOptions => {
  const [route] = config.routes
  return {
    config,
    route: { id: route!.id, listener: config.name, ...generation.way(config, route!) },
    tls: undefined,
  }
}

describeListener('TcpListener', {
  protocol: 'tcp',
  make: (makings) => new TcpListener(makings.runtime, options(makings), makings.parts),
  configure: (listener, makings) => (listener as TcpListener).configure(options(makings)),
  opening: 'hello\n',
  agreement: 'welcome\n',
  agreed: /welcome\n/,
  refused: async (client, code) => {
    expect(await client.ended).to.equal(answers[code].tcp === 'reset' ? 'rst' : 'fin')
    expect(client.buffered.length).to.equal(0)
  },
  halfCloses: true,
  unrouted: undefined,
  cutBy: 'fin',
})
