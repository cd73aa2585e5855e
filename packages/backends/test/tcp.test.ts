import { expect } from 'chai'
import { eventually, RawClient } from '../../testkit/src/raw/index.ts'
import { randomBytesOf, randomSha256, startTcpBackend, type TcpBackend, type TcpBehaviour } from '../src/index.ts'

describe('TCP backend', () => {
  let backend: TcpBackend
  let client: RawClient

  const start = async (behaviour: TcpBehaviour): Promise<void> => {
    backend = await startTcpBackend({ behaviour })
    client = await RawClient.connect(backend.address.port)
  }

  afterEach(async () => {
    await client.close()
    await backend.close()
    expect(backend.stats().running).to.equal(0)
  })

  it('echoes every byte, and a FIN with a FIN', async () => {
    await start('echo')
    const bytes = randomBytesOf(1_000_000, 1)
    void client.write(bytes).then(() => client.fin())
    expect((await client.readToEnd()).equals(bytes)).to.equal(true)
    await eventually(() => backend.stats().running === 0)
    expect(backend.stats()).to.include({ max: 1, aborted: 0, received: 1_000_000, sent: 1_000_000 })
  })

  it('sinks, and tells length and hash after the FIN', async () => {
    await start('sink')
    await client.write(randomBytesOf(100_000, 2))
    await client.fin()
    expect((await client.readToEnd()).toString()).to.equal(`100000 ${randomSha256(100_000, 2)}\n`)
  })

  it('sends as many known bytes as the first line asks for', async () => {
    await start('source')
    await client.write('10')
    await client.write('0000 5\r\n')
    expect((await client.readToEnd()).equals(randomBytesOf(100_000, 5))).to.equal(true)
  })

  it('says what is wrong with a first line', async () => {
    await start('source')
    await client.write('many\n')
    expect((await client.readToEnd()).toString()).to.equal("the first line must be N or N SEED, and is 'many'\n")
  })

  it('sends so many bytes and resets', async () => {
    await start('reset')
    await client.write('100000\n')
    expect((await client.closed).by).to.equal('rst')
    expect(client.buffered.length).to.equal(100_000)
  })

  it('resets when it has read so many bytes', async () => {
    await start('reset')
    await client.write('read 10\n123456789')
    await eventually(() => backend.stats().received === 17)
    expect(backend.stats().running).to.equal(1)
    await client.write('0')
    expect((await client.closed).by).to.equal('rst')
  })

  it('stays silent', async () => {
    await start('silent')
    await client.write('hello')
    await client.fin()
    await eventually(() => backend.stats().received === 5)
    expect(backend.stats()).to.include({ running: 1, sent: 0 })
    expect(client.buffered.length).to.equal(0)
  })

  it('answers after the FIN, and not before', async () => {
    await start('half')
    await client.write('hello')
    await eventually(() => backend.stats().received === 5)
    expect(backend.stats().sent).to.equal(0)
    await client.fin()
    expect((await client.readToEnd()).toString()).to.equal('hello')
  })

  it('counts a client that breaks off as aborted', async () => {
    await start('echo')
    await client.write('a')
    await client.readExactly(1)
    client.rst()
    await eventually(() => backend.stats().running === 0)
    expect(backend.stats()).to.include({ max: 1, total: 1, aborted: 1 })
  })
})
