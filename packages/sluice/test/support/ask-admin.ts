import { request } from 'node:http'

/** What the admin listener has answered. */
export interface Reply {
  readonly status: number
  readonly headers: Record<string, unknown>
  readonly body: string
}

/** What is asked of it besides the path. */
export interface Question {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string
}

/** By node:http, since `fetch` lets nobody set `Host` and `Origin`. */
export function ask(port: number, path: string, { body, ...options }: Question = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const call = request({ host: '127.0.0.1', port, path, agent: false, ...options }, (response) => {
      let text = ''
      response.on('data', (chunk) => (text += String(chunk)))
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body: text }))
    })
    call.once('error', reject)
    call.end(body)
  })
}

/** What a changing verb is answered with, as far as tests ask for it by name. */
export interface Changed {
  readonly error: string
  readonly mistakes: ReadonlyArray<{ readonly place?: string; readonly path: string; readonly message: string }>
  readonly [key: string]: unknown
}

/** A changing verb: its status, and its body as JSON. */
export async function change(
  port: number,
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; body: Changed }> {
  const reply = await ask(port, path, {
    method,
    headers: { 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  return { status: reply.status, body: JSON.parse(reply.body) as Changed }
}
