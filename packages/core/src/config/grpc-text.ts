import { problem, type Problem } from './problem.ts'
import { hostName, parseHostPattern } from '../routing/host.ts'
import { isServiceName, isServicePattern } from '../routing/service.ts'

// Texts of gRPC and gRPC-Web: names of the protobuf language, and origins as browsers send them.

/** The full name of a service. */
export function checkService(name: string): Problem | undefined {
  if (isServiceName(name)) return undefined
  const hint = name.startsWith('/') ? `Write \`${name.replace(/^\/+|\/.*$/g, '')}\`.` : undefined
  return problem(`\`${name}\` is not the full name of a service, such as \`shop.v1.Orders\`.`, hint)
}

/** The full name of a service, or `shop.v1.*` for every service below a package. */
export function checkServicePattern(name: string): Problem | undefined {
  if (isServicePattern(name)) return undefined
  if (name === '*') return problem('`*` takes every service.', 'Leave out `service`.')
  return name.includes('*')
    ? problem(`\`${name}\` is not a service: \`*\` may only stand after a package, as in \`shop.v1.*\`.`)
    : checkService(name)
}

/** The name that a health check asks for: free text of the service, empty for the server as a whole. */
export function checkHealthService(name: string): string | undefined {
  return /^[\x21-\x7e]*$/.test(name) ? undefined : `The service \`${name}\` must have no space or control character.`
}

/** An origin (RFC 6454 §6.2), or `*` for any. */
export function checkOrigin(origin: string): Problem | undefined {
  if (origin === '*') return undefined
  const [, scheme, authority = '', rest = ''] = /^(https?):\/\/([^/?#]*)(.*)$/i.exec(origin) ?? []
  const [, host, port = '1'] = /^(\[[^\]]*\]|[^:@]*)(?::(\d{1,5}))?$/.exec(authority) ?? []
  const pattern = host === undefined ? '' : parseHostPattern(hostName(host))
  const sound = typeof pattern !== 'string' && !pattern.wildcard && Number(port) >= 1 && Number(port) <= 65535
  if (scheme === undefined || !sound) {
    return problem(
      `\`${origin}\` is not an origin.`,
      'Origins are written as https://app.example.com, with :port if need be.',
    )
  }
  return rest === ''
    ? undefined
    : problem(`The origin \`${origin}\` must end after the host and port.`, `Write \`${scheme}://${authority}\`.`)
}

/** An origin as browsers write it: lower case, without the port that its scheme has anyway. */
export function normaliseOrigin(origin: string): string {
  return origin.toLowerCase().replace(/^(http:.*):80$|^(https:.*):443$/, '$1$2')
}
