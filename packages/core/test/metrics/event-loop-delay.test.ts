import { expect } from 'chai'
import { eventually } from '../../../testkit/src/raw/eventually.ts'
import { MetricsBlock } from '../../src/metrics/block.ts'
import { EventLoopDelay } from '../../src/metrics/event-loop-delay.ts'

const lateMs = 200

/** Keeps the event loop from turning. */
function beLate(): void {
  const until = performance.now() + lateMs
  while (performance.now() < until);
}

describe('EventLoopDelay', () => {
  let block: MetricsBlock
  let delay: EventLoopDelay

  beforeEach(() => {
    block = new MetricsBlock()
    delay = new EventLoopDelay(block, '3')
  })

  afterEach(() => delay.stop())

  const longest = (): number => block.read().find(({ labels }) => labels['quantile'] === '1')!.values[0]!

  /** Enough for one look. */
  const looked = () => new Promise<void>((resolve) => setTimeout(resolve, 25))

  /** Begins to look, and is late once. */
  async function startAndBeLate(): Promise<void> {
    delay.start()
    await looked()
    beLate()
    await looked()
  }

  it('shows its quantiles by thread, 0 before anything has been seen', () => {
    delay.write()
    expect(block.read().map(({ labels, values }) => [labels, values])).to.deep.equal(
      ['0.5', '0.99', '1'].map((quantile) => [{ thread: '3', quantile }, [0]]),
    )
  })

  it('writes how late the loop was, by itself', async () => {
    await startAndBeLate()
    const seconds = await eventually(() => longest(), { timeoutMs: 5_000 })
    expect(seconds).to.be.above((lateMs - 25) / 1_000)
    expect(seconds).to.be.below((lateMs * 10) / 1_000)
  })

  it('holds a delay until it has been read, however often it is written', async () => {
    await startAndBeLate()
    delay.write()
    delay.write()
    expect(longest()).to.be.above((lateMs - 25) / 1_000)
  })

  it('shows a delay between writing and reading at the next reading', async () => {
    delay.start()
    await looked()
    delay.write()
    expect(longest()).to.be.below((lateMs - 25) / 1_000)
    beLate()
    await looked()
    delay.write()
    expect(longest()).to.be.above((lateMs - 25) / 1_000)
  })

  it('begins anew when it has been read', async () => {
    await startAndBeLate()
    delay.write()
    const before = longest()
    delay.write()
    expect(longest()).to.be.below(before)
  })
})
