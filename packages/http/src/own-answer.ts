import type { Answer } from './answer.ts'
import type { IncomingRequest } from './half.ts'
import type { HttpRoute } from './options.ts'

/** What a route without an upstream answers. `path`: the normal form of the request's. */
export function ownAnswer({ answer }: HttpRoute, head: IncomingRequest, path: string): Answer {
  if (answer === undefined) throw new Error('a route without an upstream has no answer')
  if (answer.kind === 'respond') return answer
  return { status: answer.status, headers: [['Location', location(answer.to, head, path)]], body: Buffer.alloc(0) }
}

function location(template: string, { query, host }: IncomingRequest, path: string): string {
  return template.replace(/\{(path|query|host)\}/g, (_whole, name: 'path' | 'query' | 'host', at: number) => {
    if (name !== 'path') return name === 'query' ? query : host
    // Where the path opens the Location, two slashes would name another host (RFC 3986 §4.2).
    return at > 1 ? path : path.replace(/^[/\\]+/, at === 0 ? '/' : '')
  })
}
