import { expect } from 'chai'
import { PathTemplate, splitPath } from '../../src/transcode/path-template.ts'

function parsed(text: string): PathTemplate {
  const template = PathTemplate.parse(text)
  if (typeof template === 'string') throw new Error(template)
  return template
}

/** What the variables of a template are in a path; undefined when it does not match. */
function bound(text: string, path: string): Record<string, string> | undefined {
  const template = parsed(text)
  if (!template.matches(splitPath(path))) return undefined
  return Object.fromEntries(template.bind(splitPath(path)).map((one) => [one.fieldPath, one.text]))
}

describe('PathTemplate', () => {
  it('matches literals, with what is percent-encoded in them', () => {
    expect(bound('/v1/shelves', '/v1/shelves')).to.deep.equal({})
    expect(bound('/v1/shelves', '/v1/%73helves')).to.deep.equal({})
    for (const other of ['/v1/shelf', '/v1', '/v1/shelves/', '/v1/shelves/1', '/v1/Shelves', '/']) {
      expect(bound('/v1/shelves', other), other).to.equal(undefined)
    }
  })

  it('matches one segment that is not empty with *', () => {
    expect(bound('/v1/*/books', '/v1/a/books')).to.deep.equal({})
    expect(bound('/v1/*/books', '/v1//books')).to.equal(undefined)
    expect(bound('/v1/*/books', '/v1/a/b/books')).to.equal(undefined)
  })

  it('binds one segment, or as many as it names', () => {
    expect(bound('/v1/{id}', '/v1/7')).to.deep.equal({ id: '7' })
    expect(bound('/v1/{a.b=x}', '/v1/x')).to.deep.equal({ 'a.b': 'x' })
    expect(bound('/v1/{name=shelves/*}/{book.id}', '/v1/shelves/2/9')).to.deep.equal({
      name: 'shelves/2',
      'book.id': '9',
    })
    expect(bound('/v1/{name=shelves/*}', '/v1/books/2')).to.equal(undefined)
  })

  it('matches any number of segments with **, and what stands behind', () => {
    expect(bound('/v1/{rest=**}', '/v1/a/b/c')).to.deep.equal({ rest: 'a/b/c' })
    expect(bound('/v1/{rest=**}', '/v1')).to.deep.equal({ rest: '' })
    expect(bound('/v1/{rest=**}/end/{x}', '/v1/end/9')).to.deep.equal({ rest: '', x: '9' })
    expect(bound('/v1/{rest=**}/end/{x}', '/v1/a/b/end/9')).to.deep.equal({ rest: 'a/b', x: '9' })
    expect(bound('/v1/{rest=p/**}', '/v1/p')).to.deep.equal({ rest: 'p' })
    expect(bound('/v1/{rest=p/**}', '/v1/q/p')).to.equal(undefined)
  })

  it('takes the verb from the end', () => {
    expect(bound('/v1/{id}:cancel', '/v1/7:cancel')).to.deep.equal({ id: '7' })
    expect(bound('/v1/{id=**}:cancel', '/v1/a/b:c:cancel')).to.deep.equal({ id: 'a/b:c' })
    expect(bound('/v1/shelves:sort', '/v1/shelves:sort')).to.deep.equal({})
    expect(bound('/v1/{id}:cancel', '/v1/7')).to.equal(undefined)
    expect(bound('/v1/{id}:cancel', '/v1/:cancel')).to.equal(undefined)
    expect(bound('/v1/{id}:cancel', '/v1/7:cancels')).to.equal(undefined)
  })

  it('decodes a single segment whole, and keeps %2F among several', () => {
    expect(bound('/v1/{id}', '/v1/a%2Fb%20%C3%A4%3F')).to.deep.equal({ id: 'a/b ä?' })
    expect(bound('/v1/{id=*}', '/v1/a%2fb')).to.deep.equal({ id: 'a/b' })
    expect(bound('/v1/{id=**}', '/v1/a%2Fb/c%2fd%20%C3%A4')).to.deep.equal({ id: 'a%2Fb/c%2fd ä' })
    expect(bound('/v1/{id=**}', '/v1/a%2Fb')).to.deep.equal({ id: 'a%2Fb' })
    expect(bound('/v1/{id=x/*}', '/v1/x/a%2Fb')).to.deep.equal({ id: 'x/a%2Fb' })
    expect(() => bound('/v1/{id}', '/v1/%ff')).to.throw(URIError)
    expect(() => bound('/v1/{id}', '/v1/%4')).to.throw(URIError)
  })

  it('is more specific with a verb, and with a literal where another has less, from the left', () => {
    const inOrder = ['/v1/{x}/b:go', '/v1/a/b', '/v1/a/{x}', '/v1/a/**/z', '/v1/a/**', '/v1/{x}/b', '/v1/**', '/**']
    const shuffled = inOrder.map(parsed).toSorted((one, other) => one.text.localeCompare(other.text))
    expect(shuffled.toSorted((one, other) => one.compare(other)).map(({ text }) => text)).to.deep.equal(inOrder)
  })

  it('has the shape of another when only the names differ', () => {
    expect(parsed('/v1/{a}/{b=c/*}:go').shape).to.equal(parsed('/v1/{x=*}/c/{y}:go').shape)
    expect(parsed('/v1/{a}').shape).not.to.equal(parsed('/v1/{a=**}').shape)
    expect(parsed('/v1/{a}').shape).not.to.equal(parsed('/v1/{a}:go').shape)
  })

  it('says what is wrong with it', () => {
    const wrong: Record<string, string> = {
      'v1/a': 'must begin with `/`',
      '/v1//a': 'cannot be read from `/a` on',
      '/v1/': 'has an empty segment',
      '/v1/{': 'has a variable without a name',
      '/v1/{a': 'does not close the variable `a`',
      '/v1/{a=b': 'does not close the variable `a`',
      '/v1/{a={b}}': 'has a variable within a variable',
      '/v1/{a}/{a}': 'binds `a` twice',
      '/v1/**/{a=**}': 'has `**` more than once',
      '/v1/a:': 'has no verb after its `:`',
      '/v1/a:b:c': 'cannot be read from `:c` on',
      '/v1/a b': 'cannot be read from ` b` on',
      '/v1/{1}': 'has a variable without a name',
    }
    for (const [text, why] of Object.entries(wrong)) {
      expect(PathTemplate.parse(text)).to.equal(`the path template \`${text}\` ${why}`)
    }
  })
})
