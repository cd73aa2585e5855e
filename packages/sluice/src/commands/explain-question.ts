import type { Head } from '@sluice/core'
import { grpcFormat } from '@sluice/grpc'
import { UsageError } from './usage-error.ts'

/** A request to explain. */
export interface Question {
  readonly url: string
  /** Of a URL of gRPC it is POST, whatever is said here. */
  readonly method: string
  /** `Name: value`. */
  readonly headers: readonly string[]
}

/** What is asked for, as a router would see it. */
export interface Asked extends Head {
  readonly protocol: 'http' | 'websocket' | 'grpc' | 'tcp'
  /** Undefined when neither the URL nor its scheme tells one. */
  readonly port: number | undefined
}

const defaultPorts: Readonly<Record<string, number>> = { http: 80, ws: 80, https: 443, wss: 443, grpcs: 443 }

/** The request in a question. By hand, since `URL` would already bring the path into a normal form of its own. */
export function parseQuestion({ url, method, headers }: Question): Asked {
  const [, scheme = '', authority = '', path = ''] = /^([a-z]+):\/\/([^/?#]*)([^?#]*)/.exec(url) ?? []
  if (authority === '' || !/^(?:https?|wss?|grpcs?|tcp)$/.test(scheme)) {
    throw new UsageError(
      `\`${url}\` is not a URL like http://api.example.com:8080/users/7 (http, https, ws, wss, grpc, grpcs, tcp).`,
    )
  }
  const grpc = scheme.startsWith('grpc')
  if (grpc && !/^\/[^/]+\/[^/]+$/.test(path)) {
    throw new UsageError(`\`${url}\` names no method. Write it as ${scheme}://${authority}/shop.v1.Orders/Place.`)
  }
  const fields = fieldsOf(headers)
  if (grpc && !fields.has('content-type')) fields.set('content-type', 'application/grpc')
  const [, port] = /:(\d+)$/.exec(authority) ?? []
  return {
    protocol: protocolOf(scheme, grpc ? 'POST' : method, fields),
    host: fields.get('host') ?? authority,
    path: path === '' ? '/' : path,
    method: grpc ? 'POST' : method,
    header: (name) => fields.get(name),
    clientAddress: '127.0.0.1',
    tlsName: undefined,
    port: port === undefined ? defaultPorts[scheme] : Number(port),
  }
}

function protocolOf(scheme: string, method: string, fields: ReadonlyMap<string, string>): Asked['protocol'] {
  if (scheme === 'tcp') return 'tcp'
  if (scheme.startsWith('ws')) return 'websocket'
  return method === 'POST' && grpcFormat(fields.get('content-type') ?? '') === 'grpc' ? 'grpc' : 'http'
}

function fieldsOf(headers: readonly string[]): Map<string, string> {
  const fields = new Map<string, string>()
  for (const header of headers) {
    const [, name = '', value = ''] = /^([^:\s]+)\s*:\s*(.*?)\s*$/.exec(header) ?? []
    if (name === '') throw new UsageError(`--header \`${header}\` must be written as \`Name: value\`.`)
    const before = fields.get(name.toLowerCase())
    fields.set(name.toLowerCase(), before === undefined ? value : `${before}, ${value}`)
  }
  return fields
}
