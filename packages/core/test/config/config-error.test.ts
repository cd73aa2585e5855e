import { expect } from 'chai'
import { describe, it } from 'mocha'
import { formatConfigErrors, formatPath } from '../../src/config/config-error.ts'

const error = {
  file: 'a.yaml',
  line: 3,
  column: 5,
  path: 'x.y',
  message: 'It is wrong.',
  hint: 'Write z.',
  sourceLine: '    y: 1',
}

describe('formatConfigErrors', () => {
  it('shows place, sentence, hint and a caret below the line', () => {
    expect(formatConfigErrors([error, { ...error, hint: undefined }])).to.equal(`a.yaml:3:5 x.y: It is wrong.
  Write z.
  3 |     y: 1
    |     ^

a.yaml:3:5 x.y: It is wrong.
  3 |     y: 1
    |     ^`)
  })
  it('keeps tabs, so that the caret stands right', () => {
    expect(formatConfigErrors([{ ...error, column: 3, sourceLine: '\t\ty: 1' }])).to.include('    | \t\t^')
  })
  it('shows the part of a long line where the mistake is', () => {
    const sourceLine = `${'a'.repeat(500)}X${'b'.repeat(500)}`
    const [, , line, caret] = formatConfigErrors([{ ...error, column: 501, sourceLine }]).split('\n')
    expect(line!.indexOf('X')).to.equal(caret!.indexOf('^'))
    expect(line!.length).to.be.lessThan(120)
  })
})

describe('formatPath', () => {
  it('writes indices in brackets', () => {
    expect(formatPath(['listeners', 'web', 'routes', 0, 'match'])).to.equal('listeners.web.routes[0].match')
    expect(formatPath([])).to.equal('')
  })
})
