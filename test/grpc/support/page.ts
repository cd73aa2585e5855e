/** What the page is told. */
export interface PageTask {
  /** Where the gRPC service is, by a name for it; as `https://localhost:1234`. */
  readonly targets: Readonly<Record<string, string>>
  /** Messages of the echo service, in base64: one for a unary call, one that asks for a stream of five, one that fails. */
  readonly unary: string
  readonly streamOfFive: string
  readonly failing: string
}

/** What a call of gRPC-Web gave to the page. */
export interface PageCall {
  /** What `fetch` threw. */
  readonly refused?: string
  readonly httpStatus?: number
  readonly messages?: readonly string[]
  /** `NAME:VALUE` of the trailers, wherever they were. */
  readonly trailers?: readonly string[]
  /** How often the body came, and how many messages were there at first. */
  readonly pieces?: number
  readonly atFirst?: number
}

/** What the page reports: calls by `TARGET KIND`, and the protocol of the page's own requests. */
export interface PageReport {
  readonly error?: string
  readonly calls: Readonly<Record<string, PageCall>>
  readonly protocols: readonly string[]
  readonly downloaded: number
}

// In the browser: gRPC-Web by hand, so that nothing of ours or of a library's is in between.
const script = `
const bytesOf = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))
const textOf = (bytes) => Array.from(bytes, (b) => String.fromCharCode(b)).join('')

function frame(message) {
  const out = new Uint8Array(5 + message.length)
  new DataView(out.buffer).setUint32(1, message.length)
  out.set(message, 5)
  return out
}

// Text mode: every piece may be padded on its own, so groups of four are decoded one by one.
function decodeText(text) {
  const parts = text.match(/.{4}/gs) ?? []
  return Uint8Array.from(parts.flatMap((part) => [...bytesOf(part)]))
}

function parse(bytes) {
  const messages = [], trailers = []
  for (let at = 0; at + 5 <= bytes.length; ) {
    const size = new DataView(bytes.buffer, bytes.byteOffset).getUint32(at + 1)
    if (at + 5 + size > bytes.length) break
    const body = bytes.subarray(at + 5, at + 5 + size)
    if (bytes[at] & 128) trailers.push(...textOf(body).trim().split('\\r\\n'))
    else messages.push(btoa(textOf(body)))
    at += 5 + size
  }
  return { messages, trailers }
}

async function call(target, message, text) {
  const framed = frame(bytesOf(message))
  const type = text ? 'application/grpc-web-text' : 'application/grpc-web+proto'
  let response
  try {
    response = await fetch(target, {
      method: 'POST',
      headers: { 'content-type': type, 'x-grpc-web': '1', 'x-user-agent': 'page' },
      body: text ? btoa(textOf(framed)) : framed,
    })
  } catch (error) {
    return { refused: String(error) }
  }
  let bytes = new Uint8Array(0), pieces = 0, atFirst
  const decoded = () => parse(text ? decodeText(textOf(bytes)) : bytes)
  const reader = response.body.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    pieces++
    bytes = new Uint8Array([...bytes, ...value])
    atFirst ??= decoded().messages.length
  }
  const { messages, trailers } = decoded()
  for (const name of ['grpc-status', 'grpc-message']) {
    if (response.headers.has(name)) trailers.push(name + ':' + response.headers.get(name))
  }
  return { httpStatus: response.status, messages, trailers, pieces, atFirst }
}

async function report(task) {
  const calls = {}
  for (const [name, origin] of Object.entries(task.targets)) {
    const service = origin + '/sluice.test.v1.Echo/'
    for (const text of [false, true]) {
      const kind = text ? 'text' : 'binary'
      calls[name + ' unary ' + kind] = await call(service + 'Unary', task.unary, text)
      calls[name + ' stream ' + kind] = await call(service + 'ServerStream', task.streamOfFive, text)
      calls[name + ' failing ' + kind] = await call(service + 'Unary', task.failing, text)
    }
  }
  const downloaded = (await (await fetch('/bytes/1000000')).arrayBuffer()).byteLength
  const entries = performance.getEntriesByType('resource').filter(({ name }) => name.startsWith(location.origin))
  return { calls, downloaded, protocols: [...new Set(entries.map((entry) => entry.nextHopProtocol))] }
}

report(TASK)
  .catch((error) => ({ error: String(error), calls: {}, protocols: [], downloaded: 0 }))
  .then((result) => fetch('/report', { method: 'POST', body: JSON.stringify(result) }))
`

/** A page that makes its calls when it is opened, and posts what came of them to `/report`. */
export function pageFor(task: PageTask): string {
  return `<!doctype html><meta charset="utf-8"><title>gRPC-Web</title><script>${script.replace('TASK', JSON.stringify(task))}</script>`
}
