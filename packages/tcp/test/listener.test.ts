import { answers } from '@sluice/core'
import { expect } from 'chai'
import { describeListener } from '../../testkit/src/listener-contract.ts'
import { TcpListener } from '../src/listener.ts'

describeListener('TcpListener', {
  protocol: 'tcp',
  make: ({ runtime, generation, config }) => {
    const [route] = config.routes
    const way = generation.way(config, route!)
    return new TcpListener(
      runtime,
      { config, route: { id: route!.id, listener: config.name, ...way }, tls: undefined },
      { refused: () => {} },
    )
  },
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
