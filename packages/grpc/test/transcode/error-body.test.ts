import { expect } from 'chai'
import { ProtobufWriter } from '../../src/protobuf/writer.ts'
import type { Transcoder } from '../../src/transcode/transcoder.ts'
import { loadFixture } from './fixture.ts'
import { protobuf } from './independent.ts'

describe('Transcoder.errorBody', () => {
  let transcoder: Transcoder
  before(async () => {
    transcoder = await loadFixture('kinds.proto')
  })

  const body = (code: number, message: string, details?: string): unknown =>
    JSON.parse(transcoder.errorBody(code, message, details).toString())

  function status(...details: [type: string, message: Buffer][]): string {
    const writer = new ProtobufWriter().tag(1, 0).uint32(3).tag(2, 2).string('its own')
    for (const [type, message] of details) {
      const any = new ProtobufWriter().tag(1, 2).string(`type.googleapis.com/${type}`).bytesField(2, message)
      writer.bytesField(3, any.finish())
    }
    return writer.finish().toString('base64')
  }

  it('is google.rpc.Status in JSON', () => {
    expect(body(5, 'no "such" order ☺')).to.deep.equal({ code: 5, message: 'no "such" order ☺', details: [] })
  })

  it('tells details as far as their types are known', () => {
    const info = new ProtobufWriter().tag(1, 2).string('STOCK').tag(2, 2).string('shop.test')
    const entry = new ProtobufWriter().tag(1, 2).string('k').tag(2, 2).string('v').finish()
    const retry = new ProtobufWriter().bytesField(1, new ProtobufWriter().tag(1, 0).uint32(2).finish())
    const nested = protobuf('kinds.proto').message('kinds.v1.Nested', { text: 'x' })
    const details = status(
      ['google.rpc.ErrorInfo', info.bytesField(3, entry).finish()],
      ['google.rpc.RetryInfo', retry.finish()],
      ['kinds.v1.Nested', nested],
      ['unknown.v1.Thing', Buffer.from([1, 2])],
    )
    const expected = {
      code: 9,
      message: 'mine',
      details: [
        {
          '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
          reason: 'STOCK',
          domain: 'shop.test',
          metadata: { k: 'v' },
        },
        { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '2s' },
        { '@type': 'type.googleapis.com/kinds.v1.Nested', text: 'x' },
        { '@type': 'type.googleapis.com/unknown.v1.Thing', value: 'AQI=' },
      ],
    }
    expect(body(9, 'mine', details)).to.deep.equal(expected)
    expect(body(9, 'mine', details.replace(/=+$/, ''))).to.deep.equal(expected)
  })

  it('leaves out what cannot be read', () => {
    expect(body(3, 'x', '!!!')).to.deep.equal({ code: 3, message: 'x', details: [] })
    expect(body(3, 'x', Buffer.from([0x1a, 99]).toString('base64'))).to.deep.equal({
      code: 3,
      message: 'x',
      details: [],
    })
    const broken = status(['kinds.v1.Nested', Buffer.from([0x0a, 9])])
    expect(body(3, 'x', broken)).to.deep.equal({ code: 3, message: 'x', details: [] })
  })
})
