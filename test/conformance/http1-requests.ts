/** A request as a client might write it, and what a strict proxy makes of it. */
export interface RequestCase {
  readonly category: string
  readonly what: string
  readonly bytes: string
  /** The status of the answer to what is refused, or the bodies that the upstream gets. */
  readonly expect: number | readonly string[]
  /** Matches nothing of what the upstream gets. */
  readonly neverUp?: RegExp
}

const host = 'Host: a.test'
const message = (line: string, fields: readonly string[], body = ''): string =>
  `${[line, ...fields].join('\r\n')}\r\n\r\n${body}`
const get = (...fields: string[]): string => message('GET / HTTP/1.1', [host, ...fields])
const post = (body: string, ...fields: string[]): string => message('POST / HTTP/1.1', [host, ...fields], body)
const chunked = (body: string, ...fields: string[]): string => post(body, 'Transfer-Encoding: chunked', ...fields)
const line = (text: string): string => message(text, [host])
const last = '0\r\n\r\n'

type Row = readonly [what: string, bytes: string, expect: RequestCase['expect'], more?: Pick<RequestCase, 'neverUp'>]

const none = ['']

/** Written from RFC 9110 and RFC 9112; the sections stand in the names. */
const table: Readonly<Record<string, readonly Row[]>> = {
  valid: [
    ['a request without a body', get(), none],
    ['no space after the colon (§5)', message('GET / HTTP/1.1', ['Host:a.test', 'Accept:*/*']), none],
    ['an empty value (9110 §5.5)', get('X-Empty:', 'X-Blank: \t'), none],
    ['every token octet in a name (9110 §5.6.2)', get("!#$%&'*+-.^_`|~09azAZ: v"), none],
    ['octets beyond ASCII in a value (9110 §5.5)', get('X-Obs: \xe4\xff'), none],
    ['a tab inside a value (9110 §5.5)', get('X-Tab: a\tb'), none],
    ['one empty line before the request line (§2.2)', `\r\n${get()}`, none],
    ['HTTP/1.0 without Host', 'GET / HTTP/1.0\r\n\r\n', none],
    ['a higher minor version (9110 §2.5)', line('GET / HTTP/1.2'), none],
    ['two requests at once (§9.3.2)', get() + get(), ['', '']],
    ['a request after a body by length', post('hello', 'Content-Length: 5') + get(), ['hello', '']],
    ['a request after a chunked body', chunked(`5\r\nhello\r\n${last}`) + get(), ['hello', '']],
    ['absolute-form (§3.2.2)', message('GET http://a.test/x?y HTTP/1.1', [host]), none],
    ['OPTIONS * (§3.2.4)', line('OPTIONS * HTTP/1.1'), none],
    ['a query with every octet it may have', line("GET /?a=b&c=%20;/?:@!$'()*+,-._~ HTTP/1.1"), none],
    ['GET with a body', message('GET / HTTP/1.1', [host, 'Content-Length: 2'], 'hi'), ['hi']],
    [
      'DELETE with a chunked body',
      message('DELETE / HTTP/1.1', [host, 'Transfer-Encoding: chunked'], `2\r\nhi\r\n${last}`),
      ['hi'],
    ],
  ],
  upgrade: [
    [
      'h2c is not passed on (9113 §3.1)',
      get('Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA'),
      none,
      { neverUp: /^(upgrade|http2-settings):/im },
    ],
    [
      'an upgrade in HTTP/1.0 is ignored (9110 §7.8)',
      message('GET / HTTP/1.0', [host, 'Connection: upgrade', 'Upgrade: websocket']),
      none,
      { neverUp: /^upgrade:/im },
    ],
    ['Upgrade that Connection does not name (9110 §7.8)', get('Upgrade: websocket'), none, { neverUp: /^upgrade:/im }],
    ['an unknown protocol', get('Connection: Upgrade', 'Upgrade: foo/2'), none, { neverUp: /^upgrade:/im }],
  ],
  'content-length': [
    ['leading zeros', post('hello', 'Content-Length: 0005'), ['hello']],
    ['zero', post('', 'Content-Length: 0'), none],
    ['a sign', post('hello', 'Content-Length: +5'), 400],
    ['a minus sign', post('hello', 'Content-Length: -5'), 400],
    ['empty', post('', 'Content-Length:'), 400],
    ['hexadecimal', post('hello', 'Content-Length: 0x5'), 400],
    ['an exponent', post('hello', 'Content-Length: 5e0'), 400],
    ['a fraction', post('hello', 'Content-Length: 5.0'), 400],
    ['text after the number', post('hello', 'Content-Length: 5abc'), 400],
    ['a space inside', post('hello', 'Content-Length: 1 5'), 400],
    ['a no-break space behind', post('hello', 'Content-Length: 5\xa0'), 400],
    ['a vertical tab behind', post('hello', 'Content-Length: 5\x0b'), 400],
    ['more than 2^53-1', post('hello', 'Content-Length: 9007199254740993'), 400],
    ['more than 2^64', post('hello', 'Content-Length: 18446744073709551621'), 400],
    ['twice and different (§6.3)', post('hello', 'Content-Length: 5', 'Content-Length: 6'), 400],
    ['twice and equal (§6.3)', post('hello', 'Content-Length: 5', 'Content-Length: 5'), 400],
    ['a list (§6.3)', post('hello', 'Content-Length: 5, 5'), 400],
    ['a list of one', post('hello', 'Content-Length: 5,'), 400],
    ['quoted', post('hello', 'Content-Length: "5"'), 400],
  ],
  'cl+te': [
    ['length, then chunked (§6.1)', post(last, 'Content-Length: 5', 'Transfer-Encoding: chunked'), 400],
    ['chunked, then length (§6.1)', post(last, 'Transfer-Encoding: chunked', 'Content-Length: 5'), 400],
    [
      'a request hidden behind both',
      post(`${last}GET /hidden HTTP/1.1\r\n${host}\r\n\r\n`, 'Content-Length: 41', 'Transfer-Encoding: chunked'),
      400,
      { neverUp: /hidden/ },
    ],
    ['length zero and chunked', post(`5\r\nhello\r\n${last}`, 'Content-Length: 0', 'Transfer-Encoding: chunked'), 400],
    ['length and a broken coding', post('hello', 'Content-Length: 5', 'Transfer-Encoding: xchunked'), 400],
  ],
  'transfer-encoding': [
    ['in any letter case', post(`5\r\nhello\r\n${last}`, 'tRANSFER-eNCODING: cHUNKED'), ['hello']],
    ['identity', post('hello', 'Transfer-Encoding: identity'), 501],
    ['gzip before chunked (§6.1)', post(last, 'Transfer-Encoding: gzip, chunked'), 501],
    ['chunked before gzip (§6.3)', post(last, 'Transfer-Encoding: chunked, gzip'), 400],
    ['chunked twice in one field', post(last, 'Transfer-Encoding: chunked, chunked'), 400],
    ['chunked in two fields', post(last, 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'), 400],
    ['an octet before the word', post(last, 'Transfer-Encoding: \x0bchunked'), 400],
    ['a no-break space behind', post(last, 'Transfer-Encoding: chunked\xa0'), 400],
    ['quoted', post(last, 'Transfer-Encoding: "chunked"'), 400],
    ['a parameter', post(last, 'Transfer-Encoding: chunked;q=1'), 400],
    ['empty', post(last, 'Transfer-Encoding:'), 400],
    ['a comma at the end', post(last, 'Transfer-Encoding: chunked,'), 400],
    ['a comma before', post(last, 'Transfer-Encoding: , chunked'), 400],
    ['in HTTP/1.0 (§6.1)', message('POST / HTTP/1.0', [host, 'Transfer-Encoding: chunked'], last), 400],
    ['a space before the colon (§5.1)', post(last, 'Transfer-Encoding : chunked'), 400],
    ['an underscore is another name', post('', 'Transfer_Encoding: chunked', 'Content-Length: 0'), none],
    ['named by Connection', chunked(`2\r\nhi\r\n${last}`, 'Connection: transfer-encoding'), ['hi']],
  ],
  chunked: [
    ['two chunks', chunked(`2\r\nhe\r\n3\r\nllo\r\n${last}`), ['hello']],
    ['upper case and zeros', chunked(`000A\r\n0123456789\r\n000\r\n\r\n`), ['0123456789']],
    ['an extension (§7.1.1)', chunked(`5;a=b;c="d\\"e"\r\nhello\r\n0;x\r\n\r\n`), ['hello']],
    ['an empty size', chunked(`\r\nhello\r\n${last}`), 400],
    ['no hexadecimal', chunked(`g\r\nhello\r\n${last}`), 400],
    ['a prefix 0x', chunked(`0x5\r\nhello\r\n${last}`), 400],
    ['a sign', chunked(`+5\r\nhello\r\n${last}`), 400],
    ['a minus sign', chunked(`-5\r\nhello\r\n${last}`), 400],
    ['a space before the size', chunked(` 5\r\nhello\r\n${last}`), 400],
    ['a space behind the size', chunked(`5 \r\nhello\r\n${last}`), 400],
    ['a size of 17 digits', chunked(`00000000000000005\r\nhello\r\n${last}`), 400],
    ['a size beyond 2^64', chunked(`10000000000000005\r\nhello\r\n${last}`), 400],
    ['a bare LF behind the size', chunked(`5\nhello\r\n${last}`), 400],
    ['a bare CR behind the size', chunked(`5\rhello\r\n${last}`), 400],
    ['data longer than the size', chunked(`5\r\nhello!\r\n${last}`), 400],
    ['data without its end', chunked(`5\r\nhello0\r\n\r\n`), 400],
    ['a bare LF behind the data', chunked(`5\r\nhello\n${last}`), 400],
    ['an LF in an extension', chunked(`5;a\nb\r\nhello\r\n${last}`), 400],
    ['a NUL in an extension', chunked(`5;a=\0\r\nhello\r\n${last}`), 400],
    ['an extension without end', chunked(`5;${'a'.repeat(5_000)}\r\nhello\r\n${last}`), 400],
    ['an underscore in the size', chunked(`1_0\r\nhello\r\n${last}`), 400],
  ],
  trailers: [
    ['a field', chunked(`2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n`), ['hi']],
    [
      'framing in trailers is dropped (9110 §6.5.1)',
      chunked(`2\r\nhi\r\n0\r\nContent-Length: 9\r\nTransfer-Encoding: x\r\nHost: b\r\n\r\n`),
      ['hi'],
      { neverUp: /Content-Length|Transfer-Encoding: x|Host: b/ },
    ],
    [
      'origin in trailers is dropped',
      chunked(`2\r\nhi\r\n0\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n`),
      ['hi'],
      { neverUp: /6\.6\.6\.6/ },
    ],
    ['no colon', chunked(`2\r\nhi\r\n0\r\nnocolon\r\n\r\n`), 400],
    ['a folded line', chunked(`2\r\nhi\r\n0\r\nA: b\r\n c\r\n\r\n`), 400],
    ['a bare LF', chunked(`2\r\nhi\r\n0\r\nA: b\n\r\n`), 400],
    [
      'a request in their place',
      `${chunked(`2\r\nhi\r\n0\r\nGET /hidden HTTP/1.1\r\n${host}\r\n\r\n`)}`,
      400,
      { neverUp: /hidden/ },
    ],
    ['too much of them', chunked(`2\r\nhi\r\n0\r\nA: ${'a'.repeat(9_000)}\r\n\r\n`), 431],
  ],
  'request-line': [
    ['two spaces', line('GET  / HTTP/1.1'), 400],
    ['a tab', line('GET\t/ HTTP/1.1'), 400],
    ['a space at the end', line('GET / HTTP/1.1 '), 400],
    ['a space before', line(' GET / HTTP/1.1'), 400],
    ['no version', line('GET /'), 400],
    ['HTTP/0.9', line('GET / HTTP/0.9'), 505],
    ['HTTP/2.0', line('GET / HTTP/2.0'), 505],
    ['HTTP/11', line('GET / HTTP/11'), 400],
    ['HTTP/1.10', line('GET / HTTP/1.10'), 400],
    ['http in lower case (§2.3)', line('GET / http/1.1'), 400],
    ['a comma in the version', line('GET / HTTP/1,1'), 400],
    ['a method with a colon', line('GE:T / HTTP/1.1'), 400],
    ['no method', line(' / HTTP/1.1'), 400],
    ['no target', line('GET  HTTP/1.1'), 400],
    ['a target without slash', line('GET a HTTP/1.1'), 400],
    ['a fragment', line('GET /#a HTTP/1.1'), 400],
    ['a control octet in the target', line('GET /\x01 HTTP/1.1'), 400],
    ['an octet beyond ASCII in the target', line('GET /\xe4 HTTP/1.1'), 400],
    ['a backslash in the path', line('GET /a\\b HTTP/1.1'), 400],
    ['an escape that is none', line('GET /%zz HTTP/1.1'), 400],
    ['NUL in the path', line('GET /%00 HTTP/1.1'), 400],
    ['above the root', line('GET /a/../../b HTTP/1.1'), 400],
    ['another scheme', line('GET ftp://a.test/ HTTP/1.1'), 400],
    ['* for another method than OPTIONS', line('GET * HTTP/1.1'), 400],
    ['more than one empty line before', `\r\n\r\n${get()}`, 400],
    ['TLS on a plain port', '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03'.padEnd(64, '\0'), 400],
  ],
  host: [
    ['absent (§3.2)', 'GET / HTTP/1.1\r\n\r\n', 400],
    ['twice', get('Host: b.test'), 400],
    ['twice and equal', get(host), 400],
    ['twice in different letter case', get('hOST: b.test'), 400],
    ['a list', message('GET / HTTP/1.1', ['Host: a.test, b.test']), 400],
    ['a slash', message('GET / HTTP/1.1', ['Host: a.test/x']), 400],
    ['userinfo', message('GET / HTTP/1.1', ['Host: u@a.test']), 400],
    ['a space', message('GET / HTTP/1.1', ['Host: a.test b']), 400],
    ['a port that is none', message('GET / HTTP/1.1', ['Host: a.test:8x']), 400],
    ['an open bracket', message('GET / HTTP/1.1', ['Host: [::1']), 400],
    ['an IPv6 literal', message('GET / HTTP/1.1', ['Host: [::1]:80']), none],
    ['folded', message('GET / HTTP/1.1', ['Host:', ' a.test']), 400],
    ['userinfo in the target (9110 §4.2.4)', line('GET http://u@a.test/ HTTP/1.1'), 400],
    ['an empty host in the target', line('GET http:/// HTTP/1.1'), 400],
  ],
  'field-line': [
    ['a space before the colon (§5.1)', get('X-A : b'), 400],
    ['no colon', get('nocolon'), 400],
    ['an empty name', get(': b'), 400],
    ['a space in the name', get('X A: b'), 400],
    ['a control octet in the name', get('X\x01A: b'), 400],
    ['a no-break space in the name', get('X\xa0A: b'), 400],
    ['a parenthesis in the name', get('X(A: b'), 400],
    ['NUL in the value (9110 §5.5)', get('X-A: a\0b'), 400],
    ['a bare CR in the value', get('X-A: a\rb'), 400],
    ['DEL in the value', get('X-A: a\x7fb'), 400],
    ['a folded value (§5.2)', get('X-A: b', ' c'), 400],
    ['a blank before the first field (§2.2)', 'GET / HTTP/1.1\r\n Host: a.test\r\n\r\n', 400],
  ],
  limits: [
    ['a head over 16 KiB', get(`X-A: ${'a'.repeat(17_000)}`), 431],
    ['more than 100 fields', get(...Array.from({ length: 101 }, (_, i) => `X-${i}: a`)), 431],
    ['a target over 8 KiB', line(`GET /${'a'.repeat(8_300)} HTTP/1.1`), 414],
    ['a head just below 16 KiB', get(`X-A: ${'a'.repeat(16_000)}`), none],
    ['a method without end', line(`${'A'.repeat(200)} / HTTP/1.1`), 501],
  ],
  expect: [
    ['an unknown one (9110 §10.1.1)', post('hello', 'Expect: teapot', 'Content-Length: 5'), 417],
    ['100-continue in any letter case', post('hello', 'Expect: 100-Continue', 'Content-Length: 5'), ['hello']],
    ['without a body', get('Expect: 100-continue'), none],
  ],
  'line-ends': [
    ['LF after the request line (§2.2)', `GET / HTTP/1.1\n${host}\r\n\r\n`, 400],
    ['LF after a field', `GET / HTTP/1.1\r\n${host}\nX-A: b\r\n\r\n`, 400],
    ['LF as the empty line', `GET / HTTP/1.1\r\n${host}\r\n\n`, 400],
    ['CR CR LF', `GET / HTTP/1.1\r\n${host}\r\r\n\r\n`, 400],
    ['LF before the request line', `\n${get()}`, 400],
  ],
  methods: [
    ['any token (9110 §9.1)', line("M-SEARCH'! / HTTP/1.1"), none],
    ['in lower case', line('get / HTTP/1.1'), none],
    ['CONNECT', message('CONNECT a.test:443 HTTP/1.1', ['Host: a.test:443']), 405],
    ['CONNECT to port 0', message('CONNECT a.test:0 HTTP/1.1', ['Host: a.test:0']), 400],
    ['CONNECT with a path', line('CONNECT /x HTTP/1.1'), 400],
  ],
  'hop-by-hop': [
    [
      'the standard ones (9110 §7.6.1)',
      get(
        'Keep-Alive: timeout=5',
        'Proxy-Connection: keep-alive',
        'TE: trailers, deflate',
        'Connection: keep-alive, TE',
      ),
      none,
      { neverUp: /^(keep-alive|proxy-connection):|deflate/im },
    ],
    ['what Connection names', get('Connection: X-Secret, close', 'X-Secret: 1'), none, { neverUp: /X-Secret/i }],
    ['Host cannot be dropped', get('Connection: Host'), none],
    ['Content-Length cannot be dropped', post('hello', 'Content-Length: 5', 'Connection: Content-Length'), ['hello']],
    ['something that is no token', get('Connection: a b'), 400],
    ['credentials for a proxy', get('Proxy-Authorization: Basic YTpi'), none, { neverUp: /YTpi/ }],
  ],
}

export const requestCases: readonly RequestCase[] = Object.entries(table).flatMap(([category, rows]) =>
  rows.map(([what, bytes, expect, more]) => ({ category, what, bytes, expect, ...more })),
)
