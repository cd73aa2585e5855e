import { join } from 'node:path'
import { expect } from 'chai'
import { Transcoder } from '../../src/transcode/transcoder.ts'
import { answer, ask, fixture, loadFixture, withFiles } from './fixture.ts'
import { protobuf } from './independent.ts'

describe('Transcoder', () => {
  let messaging: Transcoder
  const definitions = protobuf('messaging.proto')
  before(async () => {
    messaging = await loadFixture('messaging.proto')
  })

  /** The call that a request becomes: the method and its message, read by an independent decoder. */
  function call(method: string, target: string, body?: unknown): unknown[] {
    const binding = messaging.match(method, target)
    if (binding === undefined) return []
    const message = ask(binding, target, body)
    const name = binding.grpcPath.replace('/messaging.v1.Messaging/', '')
    return [name, typeof message === 'string' ? message : definitions.request('messaging.v1.Messaging', name, message)]
  }

  it('maps what the documentation of google.api.http shows', () => {
    expect(call('GET', '/v1/messages/123456')).to.deep.equal(['GetByName', { name: 'messages/123456' }])
    expect(call('GET', '/v1/plain/123456?revision=2&sub.subfield=foo')).to.deep.equal([
      'Get',
      { messageId: '123456', revision: '2', sub: { subfield: 'foo' } },
    ])
    expect(call('PATCH', '/v1/messages/123456', { text: 'Hi!' })).to.deep.equal([
      'Update',
      { messageId: '123456', message: { text: 'Hi!' } },
    ])
    expect(call('PUT', '/v1/messages/123456', { text: 'Hi!' })).to.deep.equal([
      'Replace',
      { messageId: '123456', text: 'Hi!' },
    ])
    expect(call('GET', '/v1/users/me/messages/123456')).to.deep.equal(['Get', { userId: 'me', messageId: '123456' }])
  })

  it('finds the most specific template for the verb, the method and the path', () => {
    expect(call('POST', '/v1/messages/7:cancel')).to.deep.equal(['Cancel', { messageId: '7' }])
    expect(call('GET', '/v1/messages/7:watch')).to.deep.equal(['Watch', { messageId: '7' }])
    expect(call('GET', '/v1/messages/7:other')).to.deep.equal(['GetByName', { name: 'messages/7:other' }])
    expect(call('GET', '/v1/files/a/b/latest:read')).to.deep.equal(['Latest', { name: 'files/a/b' }])
    expect(call('GET', '/v1/files/a/b/latest')).to.deep.equal(['Read', { name: 'files/a/b/latest' }])
    expect(call('REPORT', '/v1/reports/7')).to.deep.equal(['Report', { messageId: '7' }])
    expect(call('PUT', '/v1/reports/7')).to.deep.equal(['Anyhow', { messageId: '7' }])
  })

  it('knows nothing of other paths and methods, and the methods of a path', () => {
    for (const [method, path] of [
      ['GET', '/'],
      ['GET', ''],
      ['GET', '/v1/messages'],
      ['DELETE', '/v1/messages/7'],
      ['get', '/v1/messages/7'],
    ] as const) {
      expect(messaging.match(method, path), `${method} ${path}`).to.equal(undefined)
    }
    expect(messaging.methods('/v1/messages/7')).to.have.members(['GET', 'PATCH', 'PUT'])
    expect(messaging.methods('/nowhere')).to.deep.equal([])
  })

  it('says of a binding what streams', () => {
    expect(messaging.match('GET', '/v1/messages/7:watch')).to.include({ serverStreaming: true, clientStreaming: false })
    expect(messaging.match('GET', '/v1/messages/7')).to.include({ serverStreaming: false })
  })

  it('answers a message, a field of it, or a line for each of a stream', () => {
    const message = definitions.message('messaging.v1.Message', { messageId: '7', text: 'Hi' })
    const answered = (path: string, from: Buffer) => (messaging.match('GET', path)!.response(from) as Buffer).toString()
    expect(answered('/v1/plain/7', message)).to.equal('{"messageId":"7","text":"Hi"}')
    expect(answered('/v1/mine/7', message)).to.equal('"Hi"')
    expect(answered('/v1/mine/7', Buffer.alloc(0))).to.equal('""')
    expect(answered('/v1/messages/7:watch', message)).to.equal('{"messageId":"7","text":"Hi"}\n')
  })

  it('answers INTERNAL when the upstream sends what is no such message', () => {
    const broken = answer(messaging.match('GET', '/v1/plain/7')!, Buffer.from([0x0a, 9, 1]))
    expect(broken).to.equal('13 the message is not what its definition says: a field is longer than its message.')
  })

  describe('takes from a query', () => {
    const get = (query: string) => call('GET', `/v1/plain/7?${query}`)[1]

    it('nested, repeated and encoded values, by either name', () => {
      expect(get('sub.more.more.subfield=a+b%26%C3%A4&sub.tags=x&sub.tags=&sub.tags=z')).to.deep.equal({
        messageId: '7',
        sub: { tags: ['x', '', 'z'], more: { more: { subfield: 'a b&ä' } } },
      })
      expect(get('userId=a&draft=true&kinds=NOTE&kinds=2&')).to.deep.equal({
        messageId: '7',
        userId: 'a',
        draft: true,
        kinds: ['NOTE', 'LETTER'],
      })
      expect(get('user_id=a')).to.deep.equal({ messageId: '7', userId: 'a' })
    })

    it('nothing that is unknown, bound, twice there, or no single value', () => {
      const wrong: Record<string, string> = {
        'nothing=1': 'the query parameter `nothing` does not fit: `nothing` is no field of messaging.v1.GetRequest',
        'sub.x=1': 'the query parameter `sub.x` does not fit: `x` is no field of messaging.v1.GetRequest.SubMessage',
        'user_id.x=1': 'the query parameter `user_id.x` does not fit: `user_id` has no fields',
        'sub=1': 'the query parameter `sub` does not fit: `sub` is a message, not a single value',
        'subs.subfield=1': 'the query parameter `subs.subfield` does not fit: `subs` has no fields',
        'labels=1': 'the query parameter `labels` does not fit: `labels` is a map',
        'message_id=8': 'the query parameter `message_id` is given by the path or the body already',
        'user_id=1&userId=2': 'the query parameter `userId` is given more than once',
        'revision=x': 'revision: must be a whole number',
        'draft=1': 'draft: must be true or false',
        'kinds=NONE': 'kinds[0]: must be a name or number of the enum messaging.v1.Kind',
        'user_id=%ff': 'the query has `%ff`, which is not percent-encoded UTF-8',
      }
      for (const [query, why] of Object.entries(wrong)) expect(get(query), query).to.equal(`3 ${why}.`)
    })

    it('nothing that the body has', () => {
      expect(call('PUT', '/v1/messages/7?text=x')[1]).to.match(/^3 .*`text` is given by the path or the body/)
      expect(call('PATCH', '/v1/messages/7?message.text=x')[1]).to.match(/^3 .*is given by the path or the body/)
      expect(call('PATCH', '/v1/messages/7?update_mask=x', {})).to.deep.equal([
        'Update',
        { messageId: '7', message: {}, updateMask: 'x' },
      ])
    })
  })

  describe('takes from a body', () => {
    it('all that the path does not bind, whatever name it has there', () => {
      const path = '/v1/messages/7'
      for (const body of [{ message_id: 'other' }, { messageId: 'other' }, { message_id: 'a', messageId: 'b' }]) {
        expect(call('PUT', path, { ...body, text: 'x' })[1]).to.deep.equal({ messageId: '7', text: 'x' })
      }
      expect(call('PUT', path)[1]).to.deep.equal({ messageId: '7' })
      expect(call('PUT', path, null)[1]).to.equal('3 must be an object.')
    })

    it('nothing that is not JSON, not UTF-8, or not called JSON', () => {
      const put = messaging.match('PUT', '/v1/messages/7')!
      expect(ask(put, '/v1/messages/7', '{"text":')).to.match(/^3 the body is not JSON: /)
      expect(put.request('/v1/messages/7', Buffer.from([0x22, 0xff, 0x22]), '')).to.include({
        message: 'the body is not UTF-8.',
      })
      expect(ask(put, '/v1/messages/7', '{}', 'text/plain')).to.equal(
        '3 the content type must be application/json, not `text/plain`.',
      )
      for (const type of ['application/json; charset=utf-8', 'Application/JSON', 'application/merge-patch+json', '']) {
        expect(ask(put, '/v1/messages/7', '{}', type), type).to.be.instanceOf(Buffer)
      }
    })

    it('nothing where the rule has none', () => {
      expect(call('POST', '/v1/messages/7:cancel', { user_id: 'x' })).to.deep.equal(['Cancel', { messageId: '7' }])
    })

    it('no JSON that is nested without end', () => {
      const put = messaging.match('PUT', '/v1/messages/7')!
      const deep = `${'{"a":'.repeat(200_000)}1${'}'.repeat(200_000)}`
      expect(ask(put, '/v1/messages/7', deep)).to.match(/^3 /)
    })
  })

  it('refuses a path that is no UTF-8', () => {
    expect(call('GET', '/v1/plain/%ff')[1]).to.equal('3 the path `/v1/plain/%ff` is not percent-encoded UTF-8.')
  })

  describe('load', () => {
    const proto = (rpcs: string, more = '', imports = '') => `syntax = "proto3"; ${imports}
      package a.v1;
      import "google/api/annotations.proto";
      service S { ${rpcs} }
      message M { string id = 1; repeated string ids = 2; M m = 3; map<string, string> map = 4; }
      ${more}`
    const rpc = (rule: string, name = 'Get', request = 'M') =>
      `rpc ${name}(${request}) returns (M) { option (google.api.http) = { ${rule} }; }`

    /** What is said of a file with these contents, without the folder. */
    async function refused(content: string, services: string[] = []): Promise<string> {
      return await withFiles({ 's.proto': content }, async (folder) => {
        try {
          await Transcoder.load({ protos: [join(folder, 's.proto')], includes: [], services })
        } catch (error) {
          return (error as Error).message.replaceAll(`${folder}/`, '')
        }
        return 'nothing'
      })
    }

    it('names the service and the method whose rule does not fit', async () => {
      const wrong: Record<string, string> = {
        'get: "v1"': 'the path template `v1` must begin with `/`',
        'get: "/{no}"': '`no` is no field of a.v1.M',
        'get: "/{m}"': '`m` is a message, not a single value',
        'get: "/{ids}"': 'the path cannot bind `ids`, which is repeated',
        'get: "/{id.x}"': '`id` has no fields',
        'post: "/x" body: "no"': 'its `body` names `no`, which is no field there',
        'get: "/x" response_body: "no"': 'its `response_body` names `no`, which is no field there',
        'post: "/{id}" body: "id"': 'the path and the body both give `id`',
        'body: "*"': 'its `google.api.http` has no pattern (get, put, post, delete, patch or custom)',
        'get: "/x" put: "/x"':
          'its `google.api.http` has more than one pattern; further ones are written as `additional_bindings`',
      }
      for (const [rule, why] of Object.entries(wrong)) {
        expect(await refused(proto(rpc(rule))), rule).to.equal(`The method a.v1.S/Get cannot be transcoded: ${why}.`)
      }
    })

    it('names both methods whose templates match the same paths', async () => {
      const both = rpc('get: "/v1/{id}"') + rpc('get: "/v1/{id=*}"', 'Other')
      expect(await refused(proto(both))).to.equal(
        'The method a.v1.S/Other cannot be transcoded: `/v1/{id=*}` matches the same paths as `GET /v1/{id}` of a.v1.S/Get.',
      )
      expect(await refused(proto(rpc('get: "/v1/{id}"') + rpc('post: "/v1/{id}"', 'Other')))).to.equal('nothing')
    })

    it('refuses streams of requests only where a rule is', async () => {
      expect(await refused(proto(rpc('post: "/x" body: "*"', 'Up', 'stream M')))).to.equal(
        'The method a.v1.S/Up cannot be transcoded: its requests are a stream, which JSON over HTTP has no form for.',
      )
      expect(await refused(proto(`${rpc('get: "/x"')} rpc Up(stream M) returns (M);`))).to.equal('nothing')
    })

    it('names the file that is not there, does not parse, or lacks something', async () => {
      const missing = Transcoder.load({ protos: [fixture('no.proto')], includes: [], services: [] })
      expect(await missing.catch(String)).to.equal(`Error: ${fixture('no.proto')}: there is no such file.`)
      expect(await refused('syntax = "proto3";\nmessage {')).to.equal("illegal type name '{' (s.proto, line 2).")
      expect(await refused(proto(rpc('get: "/x"'), 'message N { Missing m = 1; }'))).to.match(
        /^s\.proto: no such .*Missing/,
      )
      expect(await refused(proto('', '', 'import "other.proto";'))).to.equal(
        's.proto: its import other.proto is neither beside it nor in the includes, of which there are none.',
      )
    })

    it('names services that are not there or have no annotations', async () => {
      const good = proto(rpc('get: "/x"'), 'service T { rpc Get(M) returns (M); }')
      expect(await refused(good, ['a.v1.S'])).to.equal('nothing')
      expect(await refused(good, ['a.v1.X'])).to.equal('The service a.v1.X is in none of s.proto.')
      expect(await refused(good, ['a.v1.T'])).to.equal(
        'The service a.v1.T in s.proto has no method with a `google.api.http` annotation.',
      )
      expect(await refused(proto('rpc Get(M) returns (M);'))).to.equal(
        'No method in s.proto has a `google.api.http` annotation.',
      )
    })

    it('binds the services that are named alone', async () => {
      await withFiles({ 's.proto': proto(rpc('get: "/x"'), `service T { ${rpc('get: "/y"')} }`) }, async (folder) => {
        const some = await Transcoder.load({ protos: [join(folder, 's.proto')], includes: [], services: ['a.v1.T'] })
        expect(some.match('GET', '/x')).to.equal(undefined)
        expect(some.match('GET', '/y')?.grpcPath).to.equal('/a.v1.T/Get')
      })
    })

    it("finds imports in the includes, beside the file, and a user's own annotations first", async () => {
      const shared = 'syntax = "proto3"; package a.v1; message N { string x = 1; }'
      const main = proto(rpc('get: "/{n.x}"', 'Get', 'O'), 'message O { N n = 1; }', 'import "n.proto";')
      await withFiles({ 's.proto': main }, (folder) =>
        withFiles({ 'n.proto': shared }, async (other) => {
          const options = { protos: [join(folder, 's.proto')], services: [] }
          expect(await Transcoder.load({ ...options, includes: [] }).catch(String)).to.match(/import n\.proto/)
          const loaded = await Transcoder.load({ ...options, includes: ['/nowhere', other] })
          expect(loaded.match('GET', '/7')?.grpcPath).to.equal('/a.v1.S/Get')
        }),
      )
      await withFiles({ 's.proto': main, 'n.proto': shared }, async (folder) => {
        await Transcoder.load({ protos: [join(folder, 's.proto')], includes: [], services: [] })
      })
      const own = fileOfRepository('protos')
      const loaded = await Transcoder.load({ protos: [fixture('messaging.proto')], includes: [own], services: [] })
      expect(loaded.match('GET', '/v1/plain/7')?.grpcPath).to.equal('/messaging.v1.Messaging/Get')
    })
  })
})

function fileOfRepository(name: string): string {
  return fixture(`../../../../${name}`)
}
