import { expect } from 'chai'
import { describe, it } from 'mocha'
import { isPlainPath, normalizeLiteral, normalizePath, stripPrefix } from '../../src/routing/path.ts'

const normal = (path: string, mode?: 'strict' | 'normalize' | 'raw') => normalizePath(path, mode)?.path

describe('normalizePath', () => {
  it('returns a path in normal form as the same string', () => {
    for (const path of ['/', '/users/1', '//a//b/', '/.well-known/x', '/a.b/c..d', '/a;b=c', '*']) {
      expect(normalizePath(path)).to.deep.equal({ path, changed: false, hadDots: false })
    }
  })

  it('decodes unreserved octets once', () => {
    expect(normalizePath('/%41%7e%2D%5f%2e%30')).to.deep.equal({ path: '/A~-_.0', changed: true, hadDots: false })
    expect(normal('/%2541')).to.equal('/%2541')
  })

  it('keeps reserved octets as data, with upper-case digits', () => {
    expect(normal('/a%2Fb')).to.equal('/a%2Fb')
    expect(normalizePath('/a%2fb')).to.deep.equal({ path: '/a%2Fb', changed: true, hadDots: false })
    expect(normal('/%c3%a9%20%25%5C')).to.equal('/%C3%A9%20%25%5C')
  })

  it('removes dot segments, encoded ones too', () => {
    const cases = {
      '/a/./b': '/a/b', '/a/../b': '/b', '/a/..': '/', '/a/.': '/a/', '/a/b/../..': '/', '/.': '/', '/./': '/',
      '/a/%2e%2E/b': '/b', '/a/.%2e/': '/', '/a//../b': '/a/b', '/a/b/..': '/a/', '/a/...': '/a/...',
    } // biome-ignore format: one line a group
    for (const [path, expected] of Object.entries(cases)) {
      if (path === expected) expect(normalizePath(path)).to.deep.equal({ path, changed: false, hadDots: false })
      else expect(normalizePath(path), path).to.include({ path: expected, changed: true, hadDots: true })
    }
  })

  it('does not take %2F for a separator when it looks for dot segments', () => {
    expect(normal('/a/..%2Fb')).to.equal('/a/..%2Fb')
    expect(normal('/a%2F../b')).to.equal('/a%2F../b')
  })

  it('finds backslash, NUL, invalid escapes and dot segments above the root bad', () => {
    for (const path of [
      '/a\\b',
      '/\0',
      '/%00',
      '/%',
      '/%4',
      '/%zz',
      '/a%4g',
      '/..',
      '/../a',
      '/a/../../b',
      '/%2e%2e',
      '',
      'a',
      'http://x/',
    ]) {
      expect(normalizePath(path), path).to.equal(undefined)
    }
  })

  it('refuses in strict mode what it would change, letter case of escapes excepted', () => {
    for (const path of ['/%41', '/a/./b', '/a/%2e', '/\\']) expect(normal(path, 'strict'), path).to.equal(undefined)
    for (const path of ['/a', '//', '/%2F', '/.a']) expect(normal(path, 'strict'), path).to.equal(path)
    expect(normal('/%c3', 'strict')).to.equal('/%C3')
  })

  it('returns everything as it came in raw mode', () => {
    for (const path of ['/../a', '/%zz', '/a\\b', '/%41', 'x']) {
      expect(normalizePath(path, 'raw')).to.deep.equal({ path, changed: false, hadDots: false })
    }
  })

  it('is idempotent on random paths, and its result is plain or holds an escape', () => {
    const pieces = ['/', '.', '..', 'a', '%2e', '%2F', '%41', '%c3', '//', '%25', '/.', 'b']
    let seed = 7
    for (let i = 0; i < 20_000; i++) {
      let path = '/'
      for (let n = 0; n < 6; n++) path += pieces[(seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) % pieces.length]
      const first = normalizePath(path)
      if (first === undefined) continue
      expect(normalizePath(first.path), path).to.deep.equal({ path: first.path, changed: false, hadDots: false })
      expect(
        first.path.split('/').some((part) => part === '.' || part === '..'),
        path,
      ).to.equal(false)
    }
  })
})

describe('isPlainPath', () => {
  it('is true only where the normal form is the path itself', () => {
    expect(isPlainPath('/a/b')).to.equal(true)
    for (const path of ['*', '', '/a/.b', '/%41', '/\\']) expect(isPlainPath(path), path).to.equal(false)
  })
})

describe('stripPrefix', () => {
  it('cuts whole segments only', () => {
    expect(stripPrefix('/users/1', '/users')).to.equal('/1')
    expect(stripPrefix('/users/1', '/users/')).to.equal('/1')
    expect(stripPrefix('/users', '/users')).to.equal('/')
    expect(stripPrefix('/users/', '/users')).to.equal('/')
    expect(stripPrefix('/users2', '/users')).to.equal(undefined)
    expect(stripPrefix('/other', '/users')).to.equal(undefined)
    expect(stripPrefix('/users//x', '/users')).to.equal('//x')
  })
})

describe('normalizeLiteral', () => {
  it('encodes what a request can only carry encoded', () => {
    expect(normalizeLiteral('/café x')).to.equal('/caf%C3%A9%20x')
    expect(normalizeLiteral('/%7Ea')).to.equal('/~a')
    expect(normalizeLiteral('/..')).to.equal(undefined)
  })
})
