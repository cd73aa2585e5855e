import { answers } from '@sluice/core'
import { expect } from 'chai'
import { describeListener, type ListenerStand } from '../../testkit/src/listener-contract.ts'
import { TcpListener } from '../src/listener.ts'
import type { TcpListenerOptions } from '../src/options.ts'

const options = ({ generation, config }: ListenerStand): TcpListenerOptions => {
  const [route] = config.routes
  return {
    config,
    route: { id: route!.id, listener: config.name, ...generation.way(config, route!) },
    tls: undefined,
  }
}

describeListener('TcpListener', {
  protocol: 'tcp',
  make: (stand) => new TcpListener(stand.runtime, options(stand), stand.parts),
  configure: (listener, stand) => (listener as TcpListener).configure(options(stand)),
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
