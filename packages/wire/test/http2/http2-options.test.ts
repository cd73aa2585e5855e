import { expect } from 'chai'
import { readFileSync } from 'node:fs'
import { http2Options } from '../../src/index.ts'

describe('http2Options', () => {
  it('has the defaults that its documentation says', () => {
    const source = readFileSync(new URL('../../src/http2/http2-options.ts', import.meta.url), 'utf8')
    const said = [...source.matchAll(/Default: ([\w]+)\.\s*\*\/\s*readonly (\w+)/g)].map(([, value, name]) => [
      name,
      value!.replaceAll('_', ''),
    ])
    expect(said.length).to.equal(Object.keys(http2Options()).length)
    expect(said).to.deep.equal(Object.entries(http2Options()).map(([name, value]) => [name, String(value)]))
  })

  it('takes what is given', () => {
    expect(http2Options({ maxStreams: 7 })).to.deep.equal({ ...http2Options(), maxStreams: 7 })
  })
})
