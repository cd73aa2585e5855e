import type { IncomingMessage } from 'node:http'
import { type BindAddress, hostName, parseIpAddress } from '@sluice/core'

/** Why a request is turned away. */
export interface Refusal {
  readonly status: number
  readonly error: string
}

/**
 * Keeps web pages of others away from the admin listener, which any page that a person on this machine visits could
 * otherwise reach through the browser.
 *
 * `Host` must be an IP literal, `localhost` or configured, so that no foreign name can be made to lead here (DNS
 * rebinding); a foreign `Origin` is refused; and what changes something must say that it is JSON, which a page can send
 * elsewhere only after asking (CORS preflight), and is then refused.
 */
export class Guard {
  readonly #hosts: ReadonlySet<string>

  constructor(binds: readonly BindAddress[]) {
    this.#hosts = new Set(['localhost', ...binds.flatMap((bind) => ('path' in bind ? [] : [bind.host]))])
  }

  /** Undefined: the request may pass. */
  refusal({ method, headers }: IncomingMessage): Refusal | undefined {
    const { host = '', origin } = headers
    const name = hostName(host)
    if (!this.#hosts.has(name) && parseIpAddress(name) === undefined) {
      return { status: 403, error: `the Host \`${host}\` is neither an IP address nor localhost nor configured` }
    }
    if (origin !== undefined && origin !== `http://${host}`) {
      return { status: 403, error: `the Origin \`${origin}\` is foreign` }
    }
    if (method === 'GET' || method === 'HEAD') return undefined
    const type = (headers['content-type'] ?? '').split(';', 1)[0]!.trim().toLowerCase()
    if (type !== 'application/json') {
      return { status: 415, error: 'what changes something needs `content-type: application/json`' }
    }
    return undefined
  }
}
