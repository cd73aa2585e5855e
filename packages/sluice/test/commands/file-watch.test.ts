import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { eventually } from '../../../testkit/src/raw/index.ts'
import { FileWatch } from '../../src/commands/file-watch.ts'
import { withFiles } from '../support/command.ts'

/** So long that no look comes without an event. */
const never = 2 ** 31 - 1

describe('the watch over files', () => {
  let watch: FileWatch | undefined
  let changes = 0
  afterEach(() => {
    watch?.close()
    changes = 0
  })

  function follow(files: () => readonly string[], lookEveryMs = never): FileWatch {
    watch = new FileWatch(files, () => changes++, lookEveryMs)
    return watch
  }

  it('tells of a file in another directory, and of one that is replaced through a link above it', async () => {
    await withFiles({ 'a.pem': '1' }, async (one) => {
      await withFiles({ 'a.yaml': '1' }, async (two) => {
        mkdirSync(join(two, 'v1'))
        mkdirSync(join(two, 'v2'))
        writeFileSync(join(two, 'v1', 'b.yaml'), '1')
        writeFileSync(join(two, 'v2', 'b.yaml'), '2')
        symlinkSync('v1', join(two, 'data'))
        symlinkSync(join('data', 'b.yaml'), join(two, 'b.yaml'))
        follow(() => [join(two, 'b.yaml'), join(one, 'a.pem')])
        writeFileSync(join(one, 'a.pem'), '2')
        await eventually(() => changes === 1)
        symlinkSync('v2', join(two, 'next'))
        renameSync(join(two, 'next'), join(two, 'data'))
        await eventually(() => changes === 2)
      })
    })
  })

  it('waits until nobody writes any more', async () => {
    await withFiles({ 'a.yaml': '' }, async (directory) => {
      const file = join(directory, 'a.yaml')
      let looks = 0
      let ended = 0
      follow(() => {
        // Whoever looks finds it longer than before, a few times.
        if (looks++ > 1 && looks < 12) writeFileSync(file, 'x'.repeat(looks))
        else if (looks >= 12 && ended === 0) ended = looks
        return [file]
      })
      writeFileSync(file, 'begun')
      await eventually(() => changes > 0)
      expect(looks).to.be.at.least(12)
      expect(changes).to.equal(1)
    })
  })

  it('knows what was about to be read, and what another version names', async () => {
    await withFiles({ 'a.yaml': '1', 'b.pem': '1' }, async (directory) => {
      const [first, second] = ['a.yaml', 'b.pem'].map((name) => join(directory, name))
      let files = [first!]
      let asked = 0
      const watched = follow(() => {
        asked++
        return files
      })
      const lookedAgain = async () => {
        const before = asked
        // What lies beside them is reason enough to look.
        await eventually(() => {
          writeFileSync(join(directory, 'other'), String(asked))
          return asked >= before + 10
        })
      }
      writeFileSync(first!, '2')
      watched.known()
      await lookedAgain()
      expect(changes).to.equal(0)
      files = [first!, second!]
      watched.meet()
      await lookedAgain()
      expect(changes).to.equal(0)
      writeFileSync(second!, '2')
      await eventually(() => changes === 1)
    })
  })

  it('looks without an event, too: a directory that was made anew sends none', async () => {
    await withFiles({}, async (directory) => {
      const file = join(directory, 'sub', 'a.yaml')
      mkdirSync(join(directory, 'sub'))
      writeFileSync(file, '1')
      follow(() => [file], 20)
      rmSync(join(directory, 'sub'), { recursive: true })
      mkdirSync(join(directory, 'sub'))
      writeFileSync(file, '2')
      await eventually(() => changes > 0)
      const before = changes
      writeFileSync(file, '3')
      await eventually(() => changes > before)
    })
  })

  it('says nothing once it is closed', async () => {
    await withFiles({ 'a.yaml': '1' }, async (directory) => {
      const file = join(directory, 'a.yaml')
      let asked = 0
      const closed = follow(() => {
        asked++
        return [file]
      }, 20)
      closed.close()
      closed.meet()
      const before = asked
      writeFileSync(file, '2')
      follow(() => [file], 20)
      writeFileSync(file, '3')
      await eventually(() => changes === 1)
      expect(asked).to.equal(before)
    })
  })
})
