import { join } from 'node:path'
import { expect } from 'chai'
import { Transcoder } from '../../src/transcode/transcoder.ts'
import { answer, ask, fixture, loadFixture, withFiles } from './fixture.ts'

// What protoc makes of messaging.proto and legacy.proto, without the files that they import.
const messagingSet = [
  'CtcPCg9tZXNzYWdpbmcucHJvdG8SDG1lc3NhZ2luZy52MRocZ29vZ2xlL2FwaS9hbm5vdGF0aW9ucy5wcm90byImChBHZXRCeU5hbWVSZXF1ZXN0',
  'EhIKBG5hbWUYASABKAlSBG5hbWUigAQKCkdldFJlcXVlc3QSHQoKbWVzc2FnZV9pZBgBIAEoCVIJbWVzc2FnZUlkEhoKCHJldmlzaW9uGAIgASgD',
  'UghyZXZpc2lvbhI1CgNzdWIYAyABKAsyIy5tZXNzYWdpbmcudjEuR2V0UmVxdWVzdC5TdWJNZXNzYWdlUgNzdWISFwoHdXNlcl9pZBgEIAEoCVIG',
  'dXNlcklkEigKBWtpbmRzGAUgAygOMhIubWVzc2FnaW5nLnYxLktpbmRSBWtpbmRzEhQKBWRyYWZ0GAYgASgIUgVkcmFmdBI8CgZsYWJlbHMYByAD',
  'KAsyJC5tZXNzYWdpbmcudjEuR2V0UmVxdWVzdC5MYWJlbHNFbnRyeVIGbGFiZWxzEjcKBHN1YnMYCCADKAsyIy5tZXNzYWdpbmcudjEuR2V0UmVx',
  'dWVzdC5TdWJNZXNzYWdlUgRzdWJzGnUKClN1Yk1lc3NhZ2USGgoIc3ViZmllbGQYASABKAlSCHN1YmZpZWxkEhIKBHRhZ3MYAiADKAlSBHRhZ3MS',
  'NwoEbW9yZRgDIAEoCzIjLm1lc3NhZ2luZy52MS5HZXRSZXF1ZXN0LlN1Yk1lc3NhZ2VSBG1vcmUaOQoLTGFiZWxzRW50cnkSEAoDa2V5GAEgASgJ',
  'UgNrZXkSFAoFdmFsdWUYAiABKAlSBXZhbHVlOgI4ASKAAQoNVXBkYXRlUmVxdWVzdBIdCgptZXNzYWdlX2lkGAEgASgJUgltZXNzYWdlSWQSLwoH',
  'bWVzc2FnZRgCIAEoCzIVLm1lc3NhZ2luZy52MS5NZXNzYWdlUgdtZXNzYWdlEh8KC3VwZGF0ZV9tYXNrGAMgASgJUgp1cGRhdGVNYXNrIjwKB01l',
  'c3NhZ2USHQoKbWVzc2FnZV9pZBgBIAEoCVIJbWVzc2FnZUlkEhIKBHRleHQYAiABKAlSBHRleHQqMgoES2luZBIUChBLSU5EX1VOU1BFQ0lGSUVE',
  'EAASCAoETk9URRABEgoKBkxFVFRFUhACMu8ICglNZXNzYWdpbmcSYQoJR2V0QnlOYW1lEh4ubWVzc2FnaW5nLnYxLkdldEJ5TmFtZVJlcXVlc3Qa',
  'FS5tZXNzYWdpbmcudjEuTWVzc2FnZSIdgtPkkwIXEhUvdjEve25hbWU9bWVzc2FnZXMvKn0SogEKA0dldBIYLm1lc3NhZ2luZy52MS5HZXRSZXF1',
  'ZXN0GhUubWVzc2FnaW5nLnYxLk1lc3NhZ2UiaoLT5JMCZBIWL3YxL3BsYWluL3ttZXNzYWdlX2lkfVorEikvdjEvdXNlcnMve3VzZXJfaWR9L21l',
  'c3NhZ2VzL3ttZXNzYWdlX2lkfVodEhUvdjEvbWluZS97bWVzc2FnZV9pZH1iBHRleHQSaAoGVXBkYXRlEhsubWVzc2FnaW5nLnYxLlVwZGF0ZVJl',
  'cXVlc3QaFS5tZXNzYWdpbmcudjEuTWVzc2FnZSIqgtPkkwIkMhkvdjEvbWVzc2FnZXMve21lc3NhZ2VfaWR9OgdtZXNzYWdlEl0KB1JlcGxhY2US',
  'FS5tZXNzYWdpbmcudjEuTWVzc2FnZRoVLm1lc3NhZ2luZy52MS5NZXNzYWdlIiSC0+STAh4aGS92MS9tZXNzYWdlcy97bWVzc2FnZV9pZH06ASoS',
  'YwoGQ2FuY2VsEhgubWVzc2FnaW5nLnYxLkdldFJlcXVlc3QaFS5tZXNzYWdpbmcudjEuTWVzc2FnZSIogtPkkwIiIiAvdjEvbWVzc2FnZXMve21l',
  'c3NhZ2VfaWR9OmNhbmNlbBJaCgRSZWFkEh4ubWVzc2FnaW5nLnYxLkdldEJ5TmFtZVJlcXVlc3QaFS5tZXNzYWdpbmcudjEuTWVzc2FnZSIbgtPk',
  'kwIVEhMvdjEve25hbWU9ZmlsZXMvKip9EmgKBkxhdGVzdBIeLm1lc3NhZ2luZy52MS5HZXRCeU5hbWVSZXF1ZXN0GhUubWVzc2FnaW5nLnYxLk1l',
  'c3NhZ2UiJ4LT5JMCIRIfL3YxL3tuYW1lPWZpbGVzLyoqfS9sYXRlc3Q6cmVhZBJjCgVXYXRjaBIYLm1lc3NhZ2luZy52MS5HZXRSZXF1ZXN0GhUu',
  'bWVzc2FnaW5nLnYxLk1lc3NhZ2UiJ4LT5JMCIRIfL3YxL21lc3NhZ2VzL3ttZXNzYWdlX2lkfTp3YXRjaDABEmUKBlJlcG9ydBIYLm1lc3NhZ2lu',
  'Zy52MS5HZXRSZXF1ZXN0GhUubWVzc2FnaW5nLnYxLk1lc3NhZ2UiKoLT5JMCJEIiCgZSRVBPUlQSGC92MS9yZXBvcnRzL3ttZXNzYWdlX2lkfRJg',
  'CgZBbnlob3cSGC5tZXNzYWdpbmcudjEuR2V0UmVxdWVzdBoVLm1lc3NhZ2luZy52MS5NZXNzYWdlIiWC0+STAh9CHQoBKhIYL3YxL3JlcG9ydHMv',
  'e21lc3NhZ2VfaWR9EjgKBlVwbG9hZBIVLm1lc3NhZ2luZy52MS5NZXNzYWdlGhUubWVzc2FnaW5nLnYxLk1lc3NhZ2UoAWIGcHJvdG8z',
].join('')
const legacySet = [
  'Cq0ECgxsZWdhY3kucHJvdG8SCWxlZ2FjeS52MRocZ29vZ2xlL2FwaS9hbm5vdGF0aW9ucy5wcm90byKOAwoDT2xkEg4KAmlkGAEgAigFUgJpZBIX',
  'CgVjb3VudBgCIAEoBToBNVIFY291bnQSJwoEaXRlbRgDIAMoCjITLmxlZ2FjeS52MS5PbGQuSXRlbVIEaXRlbRIvCgVzdG9jaxgEIAMoCzIZLmxl',
  'Z2FjeS52MS5PbGQuU3RvY2tFbnRyeVIFc3RvY2sSIwoLcGFja2VkX2ludHMYBSADKBFCAhABUgpwYWNrZWRJbnRzEh0KCnBsYWluX2ludHMYBiAD',
  'KBFSCXBsYWluSW50cxInCgRraW5kGAcgASgOMhMubGVnYWN5LnYxLk9sZC5LaW5kUgRraW5kGkAKBEl0ZW0SEgoEbmFtZRgBIAEoCVIEbmFtZRIk',
  'CgVpbm5lchgCIAEoCzIOLmxlZ2FjeS52MS5PbGRSBWlubmVyGjgKClN0b2NrRW50cnkSEAoDa2V5GAEgASgJUgNrZXkSFAoFdmFsdWUYAiABKAVS',
  'BXZhbHVlOgI4ASIUCgRLaW5kEgUKAUEQABIFCgFCEAEqBQhkEMgBMj8KBE9sZHMSNwoERWNobxIOLmxlZ2FjeS52MS5PbGQaDi5sZWdhY3kudjEu',
  'T2xkIg+C0+STAgkiBC9vbGQ6ASo6IgoEbm90ZRIOLmxlZ2FjeS52MS5PbGQYZCABKAlSBG5vdGU=',
].join('')
// What Google's own library for Python makes of a legacy.v1.Old.
const old = ['CAAQABsKAXgcGxILCP///////////wEcGxwiBQoBYRAAIg4KAWIQ////////////ASoDAQACMAQwBTgA'].join('')
const oldJson = {
  id: 0,
  count: 0,
  item: [{ name: 'x' }, { inner: { id: -1 } }, {}],
  stock: { a: 0, b: -1 },
  packedInts: [-1, 0, 1],
  plainInts: [2, -3],
  kind: 'A',
}

const load = (set: string | Buffer, name = 'set.binpb', services: string[] = []): Promise<Transcoder> =>
  withFiles({ [name]: typeof set === 'string' ? Buffer.from(set, 'base64') : set }, (folder) =>
    Transcoder.load({ protos: [join(folder, name)], includes: [], services }),
  )

describe('a descriptor set', () => {
  it('binds what the .proto file binds', async () => {
    const fromSet = await load(messagingSet)
    const fromSource = await loadFixture('messaging.proto')
    const requests: [method: string, target: string, body?: object][] = [
      ['GET', '/v1/messages/1'],
      ['GET', '/v1/plain/1?revision=5&sub.subfield=x&sub.tags=a&sub.tags=b&kinds=NOTE&draft=true'],
      ['GET', '/v1/users/me/messages/1'],
      ['GET', '/v1/mine/1'],
      ['PATCH', '/v1/messages/1', { text: 'x' }],
      ['PUT', '/v1/messages/1', { text: 'x' }],
      ['POST', '/v1/messages/1:cancel'],
      ['GET', '/v1/files/a/b/latest:read'],
      ['GET', '/v1/messages/1:watch'],
      ['REPORT', '/v1/reports/1'],
      ['ANY', '/v1/reports/1'],
    ]
    for (const [method, target, body] of requests) {
      const one = fromSet.match(method, target)!
      const other = fromSource.match(method, target)!
      expect(one.grpcPath, target).to.equal(other.grpcPath)
      expect(one.serverStreaming, target).to.equal(other.serverStreaming)
      expect(ask(one, target, body), target).to.deep.equal(ask(other, target, body))
      const message = Buffer.from([0x0a, 1, 0x37, 0x12, 1, 0x78])
      expect(answer(one, message), target).to.deep.equal(answer(other, message))
    }
    expect(fromSet.match('POST', '/messaging.v1.Messaging/Upload')).to.equal(undefined)
  })

  for (const kind of ['descriptor set', '.proto file']) {
    it(`knows groups, extensions and presence of proto2 from a ${kind}`, async () => {
      const transcoder = kind === '.proto file' ? await loadFixture('legacy.proto') : await load(legacySet)
      const binding = transcoder.match('POST', '/old')!
      const octets = Buffer.from(old, 'base64')
      expect(answer(binding, octets)).to.deep.equal(oldJson)
      const written = ask(binding, '/old', oldJson) as Buffer
      expect(answer(binding, written)).to.deep.equal(oldJson)
      const note = { id: 1, '[legacy.v1.note]': 'x' }
      const extended = ask(binding, '/old', note) as Buffer
      expect(extended).to.deep.equal(Buffer.from([0x08, 1, 0xa2, 0x06, 1, 0x78]))
      expect(answer(binding, extended)).to.deep.equal(note)
    })
  }

  it('is refused with its name when it is none, or lacks what it refers to', async () => {
    const refused = (set: Buffer) => load(set).catch((error: Error) => error.message.replace(/^.*\//, ''))
    expect(await refused(Buffer.alloc(0))).to.equal(
      'set.binpb: it cannot be read as a descriptor set: it holds no files.',
    )
    expect(await refused(Buffer.from('syntax = "proto3";'))).to.match(
      /^set\.binpb: it cannot be read as a descriptor set: /,
    )
    const cut = Buffer.from(messagingSet, 'base64')
    // The message type `Message` by another name: what refers to it finds nothing.
    const at = cut.indexOf(Buffer.from('\n\x07Message\x12'))
    cut[at + 2] = 0x4e
    expect(await refused(cut)).to.equal(
      'set.binpb: it cannot be read as a descriptor set: it lacks messaging.v1.Message (protoc writes all with --include_imports).',
    )
  })

  it('stands beside .proto files', async () => {
    const both = await withFiles({ 'set.pb': Buffer.from(legacySet, 'base64') }, (folder) =>
      Transcoder.load({ protos: [fixture('messaging.proto'), join(folder, 'set.pb')], includes: [], services: [] }),
    )
    expect(both.match('POST', '/old')?.grpcPath).to.equal('/legacy.v1.Olds/Echo')
    expect(both.match('GET', '/v1/plain/1')?.grpcPath).to.equal('/messaging.v1.Messaging/Get')
  })
})
