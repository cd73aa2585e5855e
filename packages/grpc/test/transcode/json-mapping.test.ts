import { expect } from 'chai'
import { Binding } from '../../src/transcode/binding.ts'
import { JsonCodec } from '../../src/transcode/json-codec.ts'
import { MessageType, Schema } from '../../src/transcode/schema.ts'
import { answer, ask, loadFixture } from './fixture.ts'
import { type Independent, protobuf } from './independent.ts'

function varint(value: number): Buffer {
  const octets: number[] = []
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 128) return Buffer.from([...octets, rest])
    octets.push((rest & 127) | 128)
  }
}

describe('the JSON of messages', () => {
  let kinds: Binding
  let query: Binding
  let definitions: Independent
  before(async () => {
    const transcoder = await loadFixture('kinds.proto')
    kinds = transcoder.match('POST', '/kinds')!
    query = transcoder.match('GET', '/kinds/x')!
    definitions = protobuf('kinds.proto')
  })

  /** What JSON becomes when it is read and written again, or what is wrong with it. */
  function again(json: unknown): unknown {
    const message = ask(kinds, '/kinds', json)
    return typeof message === 'string' ? message : answer(kinds, message)
  }
  const scalars = (json: object) => again({ scalars: json })
  const canonical = (json: object) => ({ scalars: json })

  describe('scalars', () => {
    it('are taken by either name and written by the lowerCamelCase one, or json_name', () => {
      expect(again({ scalars: { an_int32: 1, aString: 'x' }, renamed: 'y' })).to.deep.equal({
        scalars: { anInt32: 1, aString: 'x' },
        otherName: 'y',
      })
      expect(again({ otherName: 'y' })).to.deep.equal({ otherName: 'y' })
      expect(again({ renamed: 'y', otherName: 'z' })).to.equal('3 `renamed` is set twice, by both of its names.')
    })

    it('of 64 bits are strings, and exact when they come as numbers', () => {
      for (const [given, written] of [
        ['9223372036854775807', '9223372036854775807'],
        ['-9223372036854775808', '-9223372036854775808'],
        ['"-9223372036854775808"', '-9223372036854775808'],
        ['9007199254740993', '9007199254740993'],
        ['1e3', '1000'],
        ['"1e3"', '1000'],
        ['-5.0', '-5'],
      ]) {
        expect(again(`{"scalars":{"anInt64":${given}}}`), given).to.deep.equal(canonical({ anInt64: written }))
      }
      expect(again('{"scalars":{"aUint64":18446744073709551615}}')).to.deep.equal(
        canonical({ aUint64: '18446744073709551615' }),
      )
    })

    it('of whole numbers keep their bounds', () => {
      const bounds = {
        anInt32: [-2147483648, 2147483647],
        aSint32: [-2147483648, 2147483647],
        aSfixed32: [-2147483648, 2147483647],
        aUint32: [0, 4294967295],
        aFixed32: [0, 4294967295],
        anInt64: ['-9223372036854775808', '9223372036854775807'],
        aSint64: ['-9223372036854775808', '9223372036854775807'],
        aSfixed64: ['-9223372036854775808', '9223372036854775807'],
        aUint64: ['0', '18446744073709551615'],
        aFixed64: ['0', '18446744073709551615'],
      }
      for (const [name, [min, max]] of Object.entries(bounds)) {
        expect(scalars({ [name]: max })).to.deep.equal(canonical({ [name]: max }))
        expect(scalars({ [name]: String(max) })).to.deep.equal(canonical({ [name]: max }))
        if (BigInt(min!) !== 0n) expect(scalars({ [name]: min })).to.deep.equal(canonical({ [name]: min }))
        const why = `3 scalars.${name}: must be from ${min} to ${max}.`
        expect(scalars({ [name]: String(BigInt(max!) + 1n) })).to.equal(why)
        expect(scalars({ [name]: String(BigInt(min!) - 1n) })).to.equal(why)
        for (const bad of [1.5, '1.5', 'x', '', ' 1', '0x1', true, [], {}, '9'.repeat(10_000)]) {
          expect(scalars({ [name]: bad }), JSON.stringify(bad)).to.equal(`3 scalars.${name}: must be a whole number.`)
        }
      }
    })

    it('of floating point know NaN and the infinities, and write no more digits than there are', () => {
      for (const name of ['aDouble', 'aFloat']) {
        for (const value of ['NaN', 'Infinity', '-Infinity', 0.1, -2.5, 1e30]) {
          expect(scalars({ [name]: value })).to.deep.equal(canonical({ [name]: value }))
        }
        expect(scalars({ [name]: '1.5e2' })).to.deep.equal(canonical({ [name]: 150 }))
        for (const bad of ['', 'x', '1.', 'inf', true, '0x1']) {
          expect(scalars({ [name]: bad }), String(bad)).to.equal(`3 scalars.${name}: must be a number.`)
        }
      }
      expect(again('{"scalars":{"aDouble":1e999}}')).to.equal('3 scalars.aDouble: is too large for a double.')
      expect(scalars({ aFloat: 1e39 })).to.equal('3 scalars.aFloat: is too large for a float.')
    })

    it('of bytes are base64 of either alphabet, padded or not', () => {
      for (const text of ['-_8=', '+/8=', '-_8', '+/8']) {
        expect(scalars({ aBytes: text })).to.deep.equal(canonical({ aBytes: '+/8=' }))
      }
      for (const bad of ['a', 'a b=', '====', 'YWJj!', 5]) {
        expect(scalars({ aBytes: bad }), String(bad)).to.equal('3 scalars.aBytes: must be base64.')
      }
    })

    it('of texts and truths are nothing else', () => {
      for (const bad of [1, true, []])
        expect(scalars({ aString: bad })).to.equal('3 scalars.aString: must be a string.')
      for (const bad of [1, 'true', []])
        expect(scalars({ aBool: bad })).to.equal('3 scalars.aBool: must be true or false.')
      expect(again('{"scalars":{"aString":"\\ud800"}}')).to.match(/^3 scalars\.aString: has half of a surrogate pair/)
    })

    it('of enums are names, and numbers are taken', () => {
      expect(scalars({ aColour: 'BLUE' })).to.deep.equal(canonical({ aColour: 'BLUE' }))
      expect(scalars({ aColour: -2 })).to.deep.equal(canonical({ aColour: 'BLUE' }))
      expect(scalars({ aColour: 77 })).to.deep.equal(canonical({ aColour: 77 }))
      for (const bad of ['PINK', 'blue', '1', true, 1.5]) expect(scalars({ aColour: bad }), String(bad)).to.match(/^3 /)
    })

    it('are left out when they are null or the default, but for those that can be set to it', () => {
      expect(scalars({ aDouble: 0, anInt64: '0', aString: '', aBytes: '', aBool: false, aColour: 0 })).to.deep.equal(
        canonical({}),
      )
      expect(scalars({ aDouble: null, aColour: null })).to.deep.equal(canonical({}))
      expect(again({ scalars: null, maybe: null, lists: null, chosenText: null })).to.deep.equal({})
      expect(again({ maybe: 0, chosenNumber: 0 })).to.deep.equal({ maybe: 0, chosenNumber: '0' })
      // Some writers put defaults on the wire.
      expect(answer(kinds, Buffer.from([0x0a, 2, 0x18, 0]))).to.deep.equal(canonical({}))
    })
  })

  describe('lists, maps and messages', () => {
    it('take no null within', () => {
      expect(again({ lists: { strings: ['a', null] } })).to.equal('3 lists.strings[1]: must not be null.')
      expect(again({ lists: { int32s: [null] } })).to.equal('3 lists.int32s[0]: must not be null.')
      expect(again({ maps: { strings: { a: null } } })).to.equal('3 maps.strings["a"]: must not be null.')
    })

    it('are what they must be', () => {
      expect(again({ lists: { strings: 'a' } })).to.equal('3 lists.strings: must be a list.')
      expect(again({ maps: { strings: [] } })).to.equal('3 maps.strings: must be an object.')
      expect(again({ nested: [] })).to.equal('3 nested: must be an object.')
      expect(again({ nested: { deeper: { x: 1 } } })).to.equal('3 nested.deeper: `x` is no field of kinds.v1.Nested.')
      expect(again([])).to.equal('3 must be an object.')
    })

    it('have keys of every kind', () => {
      const maps = {
        strings: { '': 'a', __proto__x: 'b', constructor: 'c' },
        int64s: { '-1': '2' },
        nested: { '-9223372036854775808': { text: 'x' } },
        bytes: { true: 'AA==', false: '' },
        colours: { '18446744073709551615': 'RED', '0': 'COLOUR_UNSPECIFIED' },
        doubles: { '-5': 0 },
      }
      expect(again({ maps })).to.deep.equal({ maps })
      expect(again('{"maps":{"strings":{"__proto__":"x"}}}')).to.deep.equal(
        JSON.parse('{"maps":{"strings":{"__proto__":"x"}}}'),
      )
      expect(again({ maps: { bytes: { yes: '' } } })).to.equal('3 maps.bytes["yes"]: must be true or false.')
      expect(again({ maps: { int64s: { x: 1 } } })).to.equal('3 maps.int64s["x"]: must be a whole number.')
    })

    it('of a oneof are one', () => {
      expect(again({ chosenText: 'a', chosenNumber: '1' })).to.equal(
        '3 more than one field of the oneof `choice` is set.',
      )
      expect(again({ chosenText: 'a', chosenNumber: null })).to.deep.equal({ chosenText: 'a' })
      // On the wire the last one counts.
      expect(answer(kinds, Buffer.from([0x2a, 1, 0x61, 0x30, 7]))).to.deep.equal({ chosenNumber: '7' })
    })

    it('are merged when they come in pieces, and read packed or not', () => {
      const pieces = Buffer.from([0x22, 3, 0x0a, 1, 0x61, 0x22, 2, 0x18, 1])
      expect(answer(kinds, pieces)).to.deep.equal({ nested: { text: 'a', colour: 'RED' } })
      const lists = Buffer.from([0x12, 7, 0x18, 1, 0x1a, 2, 2, 3, 0x18, 4].with(1, 8))
      expect(answer(kinds, lists)).to.deep.equal({ lists: { int32s: [1, 2, 3, 4] } })
    })

    it('pass over fields that are not known, or stand in another form', () => {
      expect(answer(kinds, Buffer.from([0xfa, 0x3e, 1, 0, 0x40, 5, 0x45, 0, 0, 0, 0]))).to.deep.equal({ maybe: 5 })
    })

    it('are nested no more than a hundred deep', () => {
      const deep = (levels: number): string => `${'{"deeper":'.repeat(levels)}{}${'}'.repeat(levels)}`
      expect(again(`{"nested":${deep(90)}}`)).to.be.an('object')
      expect(again(`{"nested":${deep(110)}}`)).to.match(/^3 .*is nested more than 100 deep\.$/)
      let message = Buffer.alloc(0)
      for (let level = 0; level < 110; level++) {
        const head =
          message.length < 128 ? [0x12, message.length] : [0x12, (message.length & 127) | 128, message.length >> 7]
        message = Buffer.concat([Buffer.from(head), message])
      }
      const nested = Buffer.concat([Buffer.from([0x22, (message.length & 127) | 128, message.length >> 7]), message])
      expect(answer(kinds, nested)).to.match(/^13 .*is nested more than 100 deep\.$/)
    })

    it('are nested no more than a hundred deep in google.protobuf.Any either', () => {
      const url = 'type.googleapis.com/google.protobuf.Any'
      // An Any in an Any stands in `value`.
      const deep = (levels: number): string => `${`{"@type":"${url}","value":`.repeat(levels)}{}${'}'.repeat(levels)}`
      expect(ask(kinds, '/kinds', `{"any":${deep(90)}}`)).to.be.instanceOf(Buffer)
      for (const levels of [110, 20_000]) {
        expect(ask(kinds, '/kinds', `{"any":${deep(levels)}}`)).to.match(/^3 .*is nested more than 100 deep\.$/)
      }
      let message = Buffer.alloc(0)
      for (let level = 0; level < 300; level++) {
        const head = Buffer.concat([Buffer.from([0x0a, url.length]), Buffer.from(url), Buffer.from([0x12])])
        message = Buffer.concat([head, varint(message.length), message])
      }
      const any = Buffer.concat([Buffer.from([0x82, 0x01]), varint(message.length), message])
      expect(answer(kinds, any)).to.match(/^13 .*is nested more than 100 deep\.$/)
    })

    it('are at fault themselves when they take more stack than there is', () => {
      class Endless extends JsonCodec {
        override toJson(...asked: Parameters<JsonCodec['toJson']>): never {
          return this.toJson(...asked)
        }
        override fromJson(...asked: Parameters<JsonCodec['fromJson']>): never {
          return this.fromJson(...asked)
        }
      }
      const type = new MessageType('a.v1.M')
      const method = {
        name: 'Get',
        request: type,
        response: type,
        clientStreaming: false,
        serverStreaming: false,
        http: undefined,
      }
      const rule = { method: 'POST', template: '/x', body: '*', responseBody: '' }
      const endless = new Binding(new Endless(new Schema()), 'a.v1.S', method, rule)
      expect(ask(endless, '/x', '{}')).to.equal('3 the message is nested too deep.')
      expect(answer(endless, Buffer.alloc(0))).to.equal('13 the message is nested too deep.')
    })

    it('cost no more than a bound, however few octets they come in', () => {
      const mebibyte = 1_048_576
      const list = (field: number, octets: Buffer) => {
        const lists = Buffer.concat([Buffer.from([(field << 3) | 2]), varint(octets.length), octets])
        return Buffer.concat([Buffer.from([0x12]), varint(lists.length), lists])
      }
      // Packed enums, and messages without a field: an octet or three on the wire.
      const enums = Buffer.concat([Buffer.from([0x82, 0x01]), varint(4 * mebibyte), Buffer.alloc(4 * mebibyte)])
      const lists = Buffer.concat([Buffer.from([0x12]), varint(enums.length), enums])
      expect(answer(kinds, lists)).to.match(/^8 .*too many parts for JSON\.$/)
      const nested = Buffer.alloc(3 * mebibyte)
      for (let at = 0; at < nested.length; at += 3) nested.set([0x8a, 0x01, 0x00], at)
      expect(answer(kinds, Buffer.concat([Buffer.from([0x12]), varint(nested.length), nested]))).to.match(
        /^8 .*too many parts for JSON\.$/,
      )
      // Numbers that take an octet each, and an entry of a map that has its value again and again.
      expect(answer(kinds, list(4, Buffer.alloc(mebibyte, 1)))).to.match(/^8 .*too many parts for JSON\.$/)
      const maps = (entry: Buffer) => {
        const map = Buffer.concat([Buffer.from([0x0a]), varint(entry.length), entry])
        return Buffer.concat([Buffer.from([0x1a]), varint(map.length), map])
      }
      expect(answer(kinds, maps(Buffer.alloc(mebibyte, Buffer.from([0x12, 0]))))).to.match(/^8 .*too many parts/)
      // What fits passes.
      expect(answer(kinds, maps(Buffer.from([0x0a, 1, 0x61, 0x12, 0, 0x12, 1, 0x62])))).to.deep.equal({
        maps: { strings: { a: 'b' } },
      })
      const floats = answer(kinds, list(2, Buffer.alloc(mebibyte))) as { lists: { floats: number[] } }
      expect(floats.lists.floats.length).to.equal(mebibyte / 4)

      const many = (item: string, count: number) => `[${Array(count).fill(item).join(',')}]`
      expect(ask(kinds, '/kinds', `{"lists":{"nested":${many('{}', mebibyte)}}}`)).to.match(/^8 .*too many parts/)
      expect(ask(kinds, '/kinds', `{"values":${many('1', mebibyte)}}`)).to.match(/^8 .*too many parts/)
      expect(ask(kinds, '/kinds', `{"lists":{"doubles":${many('1', 600_000)}}}`)).to.match(/^8 .*more than 4194304\.$/)
      expect(ask(kinds, '/kinds', `{"lists":{"doubles":${many('1', 500_000)}}}`)).to.be.instanceOf(Buffer)
      const entries = (count: number) => Array.from({ length: count }, (_, i) => `"${i}":1`).join(',')
      expect(ask(kinds, '/kinds', `{"maps":{"int64s":{${entries(100_000)}}}}`)).to.be.instanceOf(Buffer)
      expect(ask(kinds, '/kinds', `{"maps":{"int64s":{${entries(200_000)}}}}`)).to.match(/^8 .*too many parts/)
      // The bound is each message's own.
      expect(ask(kinds, '/kinds', `{"lists":{"nested":${many('{}', 100_000)}}}`)).to.be.instanceOf(Buffer)
    })
  })

  describe('of well-known types', () => {
    const refuses = (name: string, values: unknown[], why: RegExp) => {
      for (const bad of values) expect(again({ [name]: bad }), String(bad)).to.match(why)
    }

    it('Timestamp is RFC 3339 in UTC, with no more digits than it needs', () => {
      const moments = {
        '2020-02-29T12:00:00Z': '2020-02-29T12:00:00Z',
        '2020-02-29T12:00:00.5+01:00': '2020-02-29T11:00:00.500Z',
        '2020-02-29t23:30:00.000001-01:00': '2020-03-01T00:30:00.000001Z',
        '1969-12-31T23:59:59.999999999z': '1969-12-31T23:59:59.999999999Z',
        '0001-01-01T00:00:00Z': '0001-01-01T00:00:00Z',
        '9999-12-31T23:59:59.999999999Z': '9999-12-31T23:59:59.999999999Z',
      }
      for (const [given, written] of Object.entries(moments)) {
        expect(again({ at: given }), given).to.deep.equal({ at: written })
      }
      const bad = [
        '',
        '2020-02-30T00:00:00Z',
        '2020-13-01T00:00:00Z',
        '2020-01-01T24:00:00Z',
        '2020-01-01',
        '2020-01-01T00:00:00',
      ]
      refuses(
        'at',
        [...bad, '0000-12-31T23:59:59Z', '0001-01-01T00:00:00+01:00', 5, '2020-01-01T00:00:00.0000000001Z'],
        /^3 at: must be a timestamp/,
      )
      expect(answer(kinds, Buffer.from([0x52, 11, 0x08, ...new Array<number>(9).fill(0x80), 1]))).to.match(
        /^13 at: is no timestamp/,
      )
      expect(answer(kinds, definitions.message('kinds.v1.All', { at: { nanos: -1 } }))).to.match(
        /^13 at: is no timestamp/,
      )
    })

    it('Duration is seconds with a fraction', () => {
      const spans = { '0s': '0s', '1s': '1s', '-1.5s': '-1.500s', '1.000000001s': '1.000000001s', '-0.25s': '-0.250s' }
      for (const [given, written] of Object.entries(spans)) {
        expect(again({ lasting: given })).to.deep.equal({ lasting: written })
      }
      expect(again({ lasting: '315576000000s' })).to.deep.equal({ lasting: '315576000000s' })
      refuses('lasting', ['1', '1m', '315576000001s', 's', '1.s', '+1s', 5], /^3 lasting: must be a duration/)
      const mixed = definitions.message('kinds.v1.All', { lasting: { seconds: 1, nanos: -1 } })
      expect(answer(kinds, mixed)).to.match(/^13 lasting: is no duration/)
    })

    it('FieldMask is a list of paths in lowerCamelCase', () => {
      expect(again({ mask: 'aB.cD,e_f,x' })).to.deep.equal({ mask: 'aB.cD,eF,x' })
      expect(again({ mask: '' })).to.deep.equal({ mask: '' })
      const message = ask(kinds, '/kinds', { mask: 'aB.cD' }) as Buffer
      expect(definitions.object('kinds.v1.All', message)).to.deep.equal({ mask: { paths: ['a_b.c_d'] } })
      refuses('mask', [['a'], 5], /^3 mask: must be a field mask/)
    })

    it('Struct, Value and ListValue are any JSON', () => {
      const any = { a: [1, -0.5, 'x', true, null, {}, [], { b: { c: [null] } }], '': null }
      expect(again({ struct: any, value: any, list: any.a })).to.deep.equal({ struct: any, value: any, list: any.a })
      for (const value of [null, 0, '', false, 1e300]) expect(again({ value })).to.deep.equal({ value })
      expect(again({ values: [null, 1] })).to.deep.equal({ values: [null, 1] })
      expect(again({ struct: null, list: null })).to.deep.equal({})
      refuses('struct', [[], 'x', 5], /^3 struct: must be an object/)
      refuses('list', [{}, 'x', 5], /^3 list: must be a list/)
      expect(again(`{"value":${'['.repeat(200)}${']'.repeat(200)}}`)).to.match(/^3 .*is nested more than 100 deep/)
    })

    it('NullValue is null', () => {
      expect(again({ null: null })).to.deep.equal({})
      expect(again({ null: 'NULL_VALUE' })).to.deep.equal({})
      refuses('null', ['x'], /^3 null: must be a name or number of the enum google\.protobuf\.NullValue/)
    })

    it('wrappers are what they wrap, defaults too', () => {
      const wrapped = {
        wrappedInt64: '0',
        wrappedUint64: '18446744073709551615',
        wrappedInt32: 0,
        wrappedUint32: 4294967295,
        wrappedString: '',
        wrappedBool: false,
        wrappedBytes: 'AA==',
        wrappedDouble: 'NaN',
        wrappedFloat: 0.1,
      }
      expect(again(wrapped)).to.deep.equal(wrapped)
      expect(again({ wrappedInt64: null })).to.deep.equal({})
      refuses('wrappedBool', ['true', 1], /^3 wrappedBool: must be true or false/)
    })

    it('Empty is an empty object', () => {
      expect(again({ empty: {} })).to.deep.equal({ empty: {} })
      refuses('empty', [{ a: 1 }, [], 'x'], /^3 empty: must be an empty object/)
    })

    it('Any is its message with @type, or has it in value', () => {
      const url = 'type.googleapis.com'
      for (const any of [
        {},
        { '@type': `${url}/kinds.v1.Nested`, text: 'x', deeper: {} },
        { '@type': `${url}/google.protobuf.Timestamp`, value: '2020-01-01T00:00:00Z' },
        { '@type': `${url}/google.protobuf.Value`, value: null },
        { '@type': `${url}/google.protobuf.Empty`, value: {} },
        { '@type': `${url}/google.protobuf.Any`, value: { '@type': 'x/kinds.v1.Nested' } },
      ]) {
        expect(again({ any })).to.deep.equal({ any })
      }
      expect(again({ any: { '@type': 'x/y.Z' } })).to.equal('3 any: is of the type `x/y.Z`, which is not known.')
      refuses('any', [{ text: 'x' }, { '@type': 5 }, 'x'], /^3 any: must (be|have)/)
      const unknown = definitions.message('kinds.v1.All', { any: { type_url: 'x/y.Z', value: 'AQI=' } })
      expect(answer(kinds, unknown)).to.deep.equal({ any: { '@type': 'x/y.Z', value: 'AQI=' } })
    })

    it('are taken from a query as far as they are a single text', () => {
      const got = (parameters: string) => {
        const message = ask(query, `/kinds/a?${parameters}`)
        return typeof message === 'string' ? message : answer(query, message)
      }
      const parameters =
        'at=2020-01-01T00:00:00Z&lasting=1.5s&mask=aB,c&wrapped_bool=true&wrappedInt64=5&nested.colour=-2'
      expect(got(`${parameters}&scalars.aBytes=-_8&scalars.a_double=NaN&times=2020-01-01T00:00:00Z`)).to.deep.equal({
        nested: { text: 'a', colour: 'BLUE' },
        at: '2020-01-01T00:00:00Z',
        lasting: '1.500s',
        mask: 'aB,c',
        wrappedBool: true,
        wrappedInt64: '5',
        scalars: { aBytes: '+/8=', aDouble: 'NaN' },
        times: ['2020-01-01T00:00:00Z'],
      })
      for (const name of ['struct', 'value', 'list', 'any', 'empty']) {
        expect(got(`${name}=1`), name).to.match(/^3 the query parameter .* is a message, not a single value\.$/)
      }
    })
  })
})
