// Nanoseconds a parse: npm run bench http1-head
import { parseRequestHead, RequestHead } from '../../packages/wire/src/http1/request-head.ts'
import { parseResponseHead, ResponseHead } from '../../packages/wire/src/http1/response-head.ts'

const limits = { maxHeadBytes: 16_384, maxFields: 100, maxTargetBytes: 8_192 }
const rounds = Number(process.env.ROUNDS ?? 9)
const perRound = Number(process.env.PER_ROUND ?? 200_000)

const minimal = 'GET /bytes/100 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n'
const browser = [
  'GET /assets/app.4f3b.js?v=12 HTTP/1.1',
  'Host: www.example.com',
  'Connection: keep-alive',
  'sec-ch-ua: "Chromium";v="126", "Not.A/Brand";v="24"',
  'sec-ch-ua-mobile: ?0',
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36',
  'Accept: */*',
  'Sec-Fetch-Site: same-origin',
  'Sec-Fetch-Mode: no-cors',
  'Referer: https://www.example.com/',
  'Accept-Encoding: gzip, deflate, br, zstd',
  'Accept-Language: en-GB,en;q=0.9,de;q=0.8',
  'Cookie: session=0123456789abcdef; theme=dark',
  '\r\n',
].join('\r\n')
const nginx = [
  'HTTP/1.1 200 OK',
  'Server: nginx/1.22.1',
  'Date: Tue, 01 Jul 2025 12:00:00 GMT',
  'Content-Type: application/octet-stream',
  'Content-Length: 100',
  'Connection: keep-alive',
  'X-Backend: 1',
  '\r\n',
].join('\r\n')

// The octets lie at changing places of one large buffer, as they do in a read buffer.
const arena = Buffer.alloc(65_536)
const request = new RequestHead()
const response = new ResponseHead()

function measure(title: string, text: string, parse: (start: number, end: number) => number, goal: number): void {
  const length = text.length
  for (let at = 0; at + length <= arena.length; at += length) arena.write(text, at, 'latin1')
  const slots = Math.floor(arena.length / length)
  const times: number[] = []
  for (let round = 0; round < rounds; round++) {
    const started = process.hrtime.bigint()
    let slot = 0
    for (let i = 0; i < perRound; i++) {
      const start = slot * length
      if (parse(start, start + length) !== length) throw new Error(`${title} was refused`)
      if (++slot === slots) slot = 0
    }
    times.push(Number(process.hrtime.bigint() - started) / perRound)
  }
  times.sort((a, b) => a - b)
  const median = times[times.length >> 1]!
  console.log(
    `${title.padEnd(28)} ${length} B  median ${median.toFixed(0)} ns  best ${times[0]!.toFixed(0)} ns  goal ${goal} ns`,
  )
}

for (let pass = 0; pass < 2; pass++) {
  measure('request, 1 field', minimal, (start, end) => parseRequestHead(request, arena, start, end, limits), 300)
  measure('request, 12 fields', browser, (start, end) => parseRequestHead(request, arena, start, end, limits), 1500)
  measure('response, 6 fields', nginx, (start, end) => parseResponseHead(response, arena, start, end, limits), 700)
}
