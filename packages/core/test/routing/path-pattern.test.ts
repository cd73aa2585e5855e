import { expect } from 'chai'
import { describe, it } from 'mocha'
import {
  comparePaths,
  matchesPath,
  packagePattern,
  parsePathPattern,
  type PathPattern,
} from '../../src/routing/path-pattern.ts'

function pattern(text: string): PathPattern {
  const parsed = parsePathPattern(text)
  if (typeof parsed === 'string') throw new Error(parsed)
  return parsed
}

describe('parsePathPattern', () => {
  it('says what is wrong with what is no pattern', () => {
    const wrong = {
      users: 'begin with',
      '': 'begin with',
      '/a?b': 'no query',
      '/a#b': 'no query',
      '/a*': 'whole segments',
      '/**': 'whole segments',
      '/a/../b': 'nothing',
      '/./a': 'nothing',
      '/%2e': 'nothing',
      '/%zz': 'nothing',
      '/a\\b': 'nothing',
    }
    for (const [text, words] of Object.entries(wrong))
      expect(parsePathPattern(text), text).to.be.a('string').that.includes(words)
  })

  it('brings its literal text into normal form', () => {
    expect(pattern('/%7e/é/*').text).to.equal('/~/%C3%A9/*')
  })
})

describe('packagePattern', () => {
  it('takes every method of every service below the package', () => {
    const shop = packagePattern('shop.v1')
    expect(shop.text).to.equal('/shop.v1.*/*')
    for (const path of ['/shop.v1.Orders/Place', '/shop.v1.admin.Users/Get', '/shop.v1.Orders/'])
      expect(matchesPath(shop, path), path).to.equal(true)
    for (const path of [
      '/shop.v1',
      '/shop.v1/Place',
      '/shop.v1./Place',
      '/shop.v1.Orders',
      '/shop.v11.Orders/Place',
      '/',
      '',
    ])
      expect(matchesPath(shop, path), path).to.equal(false)
  })
})

describe('matchesPath', () => {
  const cases: ReadonlyArray<[string, readonly string[], readonly string[]]> = [
    ['/health', ['/health'], ['/health/', '/healthy', '/', '/Health']],
    ['/', ['/'], ['/a', '', '*', '//']],
    ['/*', ['/', '/a', '/a/b', '//'], ['', '*']],
    ['/users/*', ['/users', '/users/', '/users/1', '/users/1/2'], ['/users2', '/user', '/']],
    [
      '/users/*/orders',
      ['/users/1/orders', '/users/a%2Fb/orders'],
      ['/users/orders', '/users//orders', '/users/1/2/orders', '/users/1/orders/', '/users/1/orders2', '/users/1'],
    ],
    [
      '/users/*/orders/*',
      ['/users/1/orders', '/users/1/orders/', '/users/1/orders/2/3'],
      ['/users/1/ordersx', '/users//orders/1'],
    ],
    ['/*/b', ['/a/b'], ['/b', '//b', '/a/b/c']],
    ['/a/*/*', ['/a/b', '/a/b/', '/a/b/c/d'], ['/a', '/a/']],
    ['/a/*/', ['/a/b/'], ['/a/b', '/a/b/c']],
    ['//a', ['//a'], ['/a']],
  ]
  for (const [text, yes, no] of cases) {
    it(`${text} takes ${yes.join(' ')} and not ${no.join(' ')}`, () => {
      for (const path of yes) expect(matchesPath(pattern(text), path), path).to.equal(true)
      for (const path of no) expect(matchesPath(pattern(text), path), path).to.equal(false)
    })
  }
})

describe('comparePaths', () => {
  it('orders exact, most literal segments, longest text before the first star, most segments, none', () => {
    const order = [
      '/a/b/c',
      '/a/b/c/*',
      '/a/b/*',
      '/aa/*/b',
      '/a/*/b',
      '/aaaa/*/*',
      '/a/*/*',
      '/a/*',
      '/*/*',
      '/*',
      undefined,
    ]
    for (let i = 0; i + 1 < order.length; i++) {
      const [a, b] = [order[i]!, order[i + 1]]
      expect(comparePaths(pattern(a), b === undefined ? undefined : pattern(b)), `${a} before ${b}`).to.be.lessThan(0)
    }
  })
})
