import { once } from 'node:events'
import { readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { expect } from 'chai'
import { eventually } from '../../../testkit/src/raw/eventually.ts'
import { LogCollector } from '../../src/log/log-collector.ts'
import { LogFile } from '../../src/log/log-file.ts'
import { LogRingWriter } from '../../src/log/log-ring.ts'
import { Logs } from '../../src/log/logs.ts'
import { withFiles } from '../support/command.ts'
import { batchOf, type LoggingTask } from './logging-thread.ts'

interface Collected {
  readonly collector: LogCollector
  readonly file: string
  /** What has been written. */
  readonly text: () => string
  readonly dropped: () => number
}

async function collecting(use: (collected: Collected) => Promise<void>): Promise<void> {
  await withFiles({}, async (directory) => {
    const file = join(directory, 'a.log')
    const collector = new LogCollector(new LogFile(file))
    let dropped = 0
    collector.onDropped = (lines) => (dropped += lines)
    try {
      await use({ collector, file, text: () => readFileSync(file, 'utf8'), dropped: () => dropped })
    } finally {
      await collector.close()
    }
  })
}

interface LoggingThread {
  readonly worker: Worker
  readonly memory: SharedArrayBuffer
  /** Batches that its ring has taken. */
  readonly taken: () => number
}

function startThread(collector: LogCollector, task: Pick<LoggingTask, 'name' | 'batches'>): LoggingThread {
  const memory = collector.open()
  const taken = new SharedArrayBuffer(4)
  const worker = new Worker(new URL('logging-thread.ts', import.meta.url), {
    workerData: { ...task, memory, taken } satisfies LoggingTask,
    execArgv: ['--conditions=@sluice/source'],
  })
  return { worker, memory, taken: () => Atomics.load(new Int32Array(taken), 0) }
}

/** The batches of one thread in the order of the text. Throws when a line is torn, or a batch not whole. */
function batchesIn(text: string, name: string): number[] {
  const own = text.split('\n').filter((line) => line.startsWith(`${name} `))
  const numbers: number[] = []
  for (let at = 0; at < own.length; ) {
    const number = Number(own[at]!.split(' ')[1])
    const lines = (number % 7) + 1
    expect(`${own.slice(at, at + lines).join('\n')}\n`).to.equal(batchOf(name, number))
    numbers.push(number)
    at += lines
  }
  return numbers
}

const ascending = (numbers: readonly number[]) => numbers.every((number, i) => i === 0 || number > numbers[i - 1]!)

describe('LogCollector', () => {
  it('writes the lines of two threads at once, each whole and in the order of its thread, and counts the others', async () => {
    await collecting(async ({ collector, text, dropped }) => {
      const batches = 30_000
      const threads = ['a', 'b'].map((name) => startThread(collector, { name, batches }))
      await Promise.all(threads.map(({ worker }) => once(worker, 'exit')))
      for (const { memory } of threads) collector.retire(memory)
      await collector.close()

      const all = text()
      expect(all.replace(/^[ab] \d+ \d x*\.\n/gm, '')).to.equal('')
      let written = 0
      for (const name of ['a', 'b']) {
        const numbers = batchesIn(all, name)
        expect(ascending(numbers)).to.equal(true)
        written += numbers.reduce((lines, number) => lines + (number % 7) + 1, 0)
      }
      let logged = 0
      for (let number = 0; number < batches; number++) logged += 2 * ((number % 7) + 1)
      expect(written + dropped()).to.equal(logged)
      expect(written).to.be.above(0)
    })
  }).timeout(60_000)

  it('loses of a killed thread at most the batch that it was writing, and tears none', async () => {
    for (let death = 0; death < 10; death++) {
      await collecting(async ({ collector, text, dropped }) => {
        const { worker, memory, taken } = startThread(collector, { name: 'a' })
        await eventually(() => taken() > death * 1_000)
        await worker.terminate()
        collector.retire(memory)
        let lost = dropped()
        collector.onDropped = (lines) => (lost += lines)
        await collector.close()
        const numbers = batchesIn(text(), 'a')
        expect(ascending(numbers)).to.equal(true)
        // What the file could not take is not the ring's doing; without that every batch is there.
        if (lost === 0) expect(numbers.length).to.be.within(taken(), taken() + 1)
      })
    }
  }).timeout(60_000)

  it('hears of a line while its event loop sleeps', async () => {
    await collecting(async ({ collector, text }) => {
      const { worker } = startThread(collector, { name: 'a', batches: 3 })
      await once(worker, 'exit')
      await eventually(() => batchesIn(text(), 'a').length === 3)
    })
  })

  it('counts the lines that found a ring full', async () => {
    await collecting(async ({ collector, dropped }) => {
      const memory = collector.open()
      const writer = new LogRingWriter(memory)
      const batch = 'x\n'.repeat(1_024)
      // Nobody reads within one turn.
      const refused = Array.from({ length: 600 }, () => writer.write(batch)).filter((took) => !took)
      expect(refused).to.have.length(600 - 512)
      collector.retire(memory)
      expect(dropped()).to.equal(refused.length * 1_024)
    })
  })

  it('writes what waits in rings before lines of its own', async () => {
    await collecting(async ({ collector, text }) => {
      const [a, b] = [new LogRingWriter(collector.open()), new LogRingWriter(collector.open())]
      a.write('a\n')
      b.write('b\n')
      collector.write('own\n')
      await eventually(() => text() === 'a\nb\nown\n')
    })
  })

  it('writes what waits in rings at once when it is flushed', async () => {
    await collecting(async ({ collector, text }) => {
      const writer = new LogRingWriter(collector.open())
      collector.write('own\n')
      await eventually(() => text() === 'own\n')
      // The first line may be on its way already; the others are written by the flush.
      collector.write('own\n')
      writer.write('a 1\n')
      writer.write('a 2\n')
      collector.flushSync()
      expect(text()).to.include('a 1\na 2\n')
    })
  })

  it('writes what waits in rings into the file that was, when it opens another one', async () => {
    await collecting(async ({ collector, file, text }) => {
      const writer = new LogRingWriter(collector.open())
      renameSync(file, `${file}.1`)
      writer.write('a 1\n')
      collector.reopen()
      await eventually(() => text() === '')
      writer.write('a 2\n')
      await eventually(() => text() === 'a 2\n')
      expect(readFileSync(`${file}.1`, 'utf8')).to.equal('a 1\n')
    })
  })

  it('does not keep a process that has nothing else to do', async () => {
    const collector = new URL('../../src/log/log-collector.ts', import.meta.url)
    const code = `new (await import('${collector.href}')).LogCollector({ write() {} }).open()`
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), {
      execArgv: ['--conditions=@sluice/source'],
    })
    const [exitCode] = await once(worker, 'exit')
    expect(exitCode).to.equal(0)
  })
})

describe('Logs of a thread', () => {
  const config = { level: 'info', access: 'off', file: '/nowhere/a.log', query: false } as const

  function linesOf(thread: number | undefined, access: 'off' | 'pretty'): string[] {
    const lines: string[] = []
    const sink = new LogRingWriter(new SharedArrayBuffer(128))
    sink.write = (line) => lines.push(line) > 0
    const logs = new Logs({ ...config, access }, { sink, ...(thread !== undefined && { thread }) })
    logs.process.info({ listener: 'web' }, 'hello')
    return lines
  }

  it('carry its number in the lines of the process, where there is one', () => {
    const [line] = linesOf(3, 'off')
    expect(JSON.parse(line!)).to.include({ thread: 3, listener: 'web', msg: 'hello' })
    expect(JSON.parse(linesOf(undefined, 'off')[0]!)).not.to.have.property('thread')
  })

  it('carry it at the end of the line where people read', () => {
    const lines = linesOf(3, 'pretty')
    expect(lines).to.have.length(1)
    expect(lines[0]).to.match(/ hello \(thread 3\)\n$/)
    expect(linesOf(undefined, 'pretty')[0]).to.match(/ hello\n$/)
  })

  it('go through its ring into the file', async () => {
    await collecting(async ({ collector, text }) => {
      const sink = new LogRingWriter(collector.open())
      const logs = new Logs(config, { sink, thread: 1 })
      logs.process.warn('there')
      await logs.close()
      await eventually(() => text().includes('"msg":"there"'))
    })
  })
})
