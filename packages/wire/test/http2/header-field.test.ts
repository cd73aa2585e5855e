import { expect } from 'chai'
import { fieldId } from '../../src/http1/field-names.ts'
import { headerField, STATIC_FIELDS } from '../../src/http2/header-field.ts'
import { fieldFlaw, indexing, pseudoId } from '../../src/http2/hpack-codes.ts'
import { LAST_STATIC_INDEX, STATIC_TABLE } from '../../src/http2/static-table.ts'

const flawOf = (name: string, value: string): number => headerField(name, value).flaw

describe('headerField', () => {
  it('knows names by their id, pseudo-fields by theirs', () => {
    for (const [name, id, pseudo] of [
      ['te', fieldId.te, pseudoId.none],
      ['content-type', fieldId.contentType, pseudoId.none],
      ['x-forwarded-for', fieldId.xForwardedFor, pseudoId.none],
      ['x-forwarded-prefix', fieldId.xForwardedOther, pseudoId.none],
      ['x-other', fieldId.other, pseudoId.none],
      [':method', fieldId.other, pseudoId.method],
      [':scheme', fieldId.other, pseudoId.scheme],
      [':authority', fieldId.other, pseudoId.authority],
      [':path', fieldId.other, pseudoId.path],
      [':status', fieldId.other, pseudoId.status],
      [':protocol', fieldId.other, pseudoId.protocol],
      [':version', fieldId.other, pseudoId.unknown],
      [':te', fieldId.other, pseudoId.unknown],
      [':', fieldId.other, pseudoId.unknown],
    ] as const) {
      const field = headerField(name, 'trailers')
      expect([field.name, field.value, field.id, field.pseudo]).to.deep.equal([name, 'trailers', id, pseudo])
    }
  })

  it('counts its size by RFC 7541 §4.1', () => {
    expect(headerField('custom-key', 'custom-header').size).to.equal(55)
    expect(headerField('é', '\xff\x80').size).to.equal(35)
  })

  it('knows its places in the static table', () => {
    for (let index = 1; index <= LAST_STATIC_INDEX; index++) {
      const [name, value] = STATIC_TABLE[index]!
      const field = headerField(name, value)
      expect(field.staticIndex, name).to.equal(index)
      expect(STATIC_TABLE[field.staticName]![0]).to.equal(name)
      expect(STATIC_TABLE[field.staticName - 1]![0], 'the lowest index').not.to.equal(name)
      expect(headerField(name, value, indexing.without).staticIndex).to.equal(index)
      expect(STATIC_FIELDS[index]).to.include({ name, value, staticIndex: index })
    }
    expect(headerField(':method', 'PUT')).to.include({ staticIndex: 0, staticName: 2 })
    expect(headerField(':method', '')).to.include({ staticIndex: 0, staticName: 2 })
    expect(headerField('grpc-status', '0')).to.include({ staticIndex: 0, staticName: 0 })
    expect(STATIC_TABLE[61]).to.deep.equal(['www-authenticate', ''])
  })

  it('sees names that are not lower-case tokens', () => {
    for (const name of [
      '',
      ':',
      'Te',
      'x-A',
      'a b',
      'a:b',
      'a\0',
      'a\r\nb',
      'é',
      'a(',
      ':Path',
      ':pa th',
      ' a',
      'a\x7f',
      '::a',
    ]) {
      expect(flawOf(name, 'v'), JSON.stringify(name)).to.equal(fieldFlaw.badName)
    }
    for (const name of ['a', "x-y_z.0!#$%&'*+^`|~", ':path', ':new-one']) expect(flawOf(name, 'v'), name).to.equal(0)
  })

  it('sees values that hold controls or begin or end in whitespace', () => {
    for (let code = 0; code < 256; code++) {
      const bad = (code < 0x20 && code !== 0x09) || code === 0x7f
      expect(flawOf('x', `a${String.fromCharCode(code)}b`), `${code}`).to.equal(bad ? fieldFlaw.badValue : 0)
    }
    for (const value of [' ', '\t', ' a', 'a ', '\ta', 'a\t', 'a\0', '\0', '\n']) {
      for (const name of ['x', ':path']) {
        expect(flawOf(name, value), JSON.stringify(value)).to.equal(fieldFlaw.badValue)
      }
    }
    expect(flawOf('x', 'Ā'), 'more than an octet').to.equal(fieldFlaw.badValue)
    for (const value of ['', 'a b', 'a\tb', '\xff', 'é']) expect(flawOf('x', value), value).to.equal(0)
  })

  it('sees fields of one HTTP/1.1 connection', () => {
    for (const name of [
      'connection',
      'proxy-connection',
      'keep-alive',
      'transfer-encoding',
      'upgrade',
      'http2-settings',
    ]) {
      expect(flawOf(name, 'v'), name).to.equal(fieldFlaw.connectionSpecific)
      expect(flawOf(name, 'v\n'), name).to.equal(fieldFlaw.connectionSpecific | fieldFlaw.badValue)
    }
    for (const name of ['trailer', 'host', 'content-length', 'via', 'proxy-authorization', ':connection']) {
      expect(flawOf(name, 'v'), name).to.equal(0)
    }
  })

  it('sees te with anything but trailers', () => {
    for (const value of ['', 'gzip', 'trailers, gzip', 'trailers;q=1', 'trailer']) {
      expect(flawOf('te', value), value).to.equal(fieldFlaw.badTe)
    }
    expect(flawOf('te', 'trailers ')).to.equal(fieldFlaw.badTe | fieldFlaw.badValue)
    expect(flawOf('te', 'trailers')).to.equal(0)
    expect(flawOf('te', 'Trailers')).to.equal(0)
  })

  it('is the same object for the same name and value', () => {
    expect(headerField('x-one', 'a')).to.equal(headerField('x-one', 'a'))
    expect(headerField('x-one', 'a')).not.to.equal(headerField('x-one', 'b'))
    expect(headerField('x-one', 'a')).not.to.equal(headerField('x-two', 'a'))
    expect(headerField('x-one', 'a', indexing.without)).not.to.equal(headerField('x-one', 'a'))
    for (let index = 1; index <= LAST_STATIC_INDEX; index++) {
      const [name, value] = STATIC_TABLE[index]!
      if (['authorization', 'cookie', 'set-cookie', 'proxy-authorization', 'age', 'etag'].includes(name)) continue
      if (['content-length', 'if-modified-since', 'if-none-match'].includes(name)) continue
      expect(headerField(name, value), name).to.equal(STATIC_FIELDS[index])
    }
  })

  it('shares nothing that is secret, nothing long, and nothing that never comes twice', () => {
    for (const [name, value, how] of [
      ['x-one', 'a', indexing.never],
      ['x-one', 'a', indexing.without],
      ['authorization', 'Bearer a', indexing.incremental],
      ['proxy-authorization', 'Basic a', indexing.incremental],
      ['cookie', 'a=b', indexing.incremental],
      ['set-cookie', 'a=b', indexing.incremental],
      ['x-api-key', 'a', indexing.incremental],
      ['traceparent', '00-a-b-01', indexing.incremental],
      ['x-one', 'a'.repeat(257), indexing.incremental],
      ['x'.repeat(65), 'a', indexing.incremental],
    ] as const) {
      const field = headerField(name, value, how)
      expect(headerField(name, value, how), name).not.to.equal(field)
      expect(field).to.include({ name, value, indexing: how })
    }
  })

  it('remembers what is in use, and a bounded number of others', () => {
    const used = headerField('x-used', 'always')
    // Every other one is `used`, so that it is the last to make room.
    const others = Array.from({ length: 20_000 }, (_, i) => {
      expect(headerField('x-used', 'always')).to.equal(used)
      return headerField('x-other', `${i}`)
    })
    // From the newest back: asking for one that has gone makes another go.
    const remembered = others.toReversed().filter((field) => headerField('x-other', field.value) === field)
    expect(remembered.length).to.be.within(1, 4_096)
  })
})
