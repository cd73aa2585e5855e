import { expect } from 'chai'
import { eventually } from '../../testkit/src/raw/index.ts'
import { Through } from './proxied.ts'

describe('HttpExchange with a bug of ours', () => {
  let through: Through

  afterEach(async () => {
    through.faults.length = 0
    await through.close()
  })

  /** Breaks the composing of the next request that goes up, as a bug would. */
  const breakForward = () => {
    const [upstream] = through.proxy.engine!.generation!.upstreams.values()
    const [endpoint] = upstream!.endpoints
    const { name } = endpoint!
    Object.defineProperty(endpoint, 'name', {
      configurable: true,
      get() {
        Object.defineProperty(endpoint, 'name', { value: name })
        throw new Error('ours')
      },
    })
    return upstream!
  }

  // Without Host: the endpoint's name stands in.
  const get = 'GET / HTTP/1.0\r\n\r\n'
  const served = async (connection: { readHead(): Promise<string>; write(bytes: string): Promise<void> }) => {
    for (;;) {
      await connection.readHead()
      await connection.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
    }
  }

  for (const [when, warm] of [
    ['on an idle connection', true],
    ['on a connection made for it', false],
  ] as const) {
    it(`answers 500 \`internal\` and has its permit back when it cannot be sent ${when}`, async () => {
      through = await Through.start(served, { upstream: { gate: { limit: 1 } } })
      if (warm) await through.whole(get)
      const upstream = breakForward()
      expect(await through.whole(get)).to.match(/^HTTP\/1.1 500 [^]*x-sluice-reason: internal\r\n/)
      expect(through.faults).to.have.length(1)
      await eventually(() => upstream.gate.running === 0)
      expect(await through.whole(get)).to.match(/^HTTP\/1.1 200 /)
    })
  }
})
