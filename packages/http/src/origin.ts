import { headerField, type HeaderField } from '@sluice/wire'

/** The version that a request came in. */
export const receivedVersion = { http10: 0, http11: 1, http2: 2 } as const

/** One of the numbers in `receivedVersion`. */
export type ReceivedVersion = (typeof receivedVersion)[keyof typeof receivedVersion]

/** As Via calls them (RFC 9110 §7.6.3). */
const versionNames = ['1.0', '1.1', '2.0'] as const

/** What requests tell the upstream about where they came from: the same for all of a connection. */
export class Origin {
  /** The peer's address; empty on a Unix socket. */
  readonly peer: string
  /** Whether the peer's own words about it are believed. */
  readonly trusted: boolean
  readonly scheme: 'http' | 'https'
  /** What Via calls us. */
  readonly pseudonym: string
  // Made when they are asked for: a connection's requests come in one version, and go up in one.
  readonly #lines: Array<Buffer | undefined> = [undefined, undefined, undefined]
  readonly #fields: Array<readonly HeaderField[] | undefined> = [undefined, undefined, undefined]

  constructor(peer: string, trusted: boolean, scheme: 'http' | 'https', pseudonym: string) {
    this.peer = peer
    this.trusted = trusted
    this.scheme = scheme
    this.pseudonym = pseudonym
  }

  /** What Via says of a request that came in this version. */
  via(version: ReceivedVersion): string {
    return `${versionNames[version]} ${this.pseudonym}`
  }

  /** The lines for an untrusted peer. */
  lines(version: ReceivedVersion): Buffer {
    return (this.#lines[version] ??= Buffer.from(
      this.#words(version)
        .map(([name, value]) => `${name}: ${value}\r\n`)
        .join(''),
      'latin1',
    ))
  }

  /** The same as fields of HTTP/2. */
  fields(version: ReceivedVersion): readonly HeaderField[] {
    return (this.#fields[version] ??= this.#words(version).map(([name, value]) =>
      headerField(name.toLowerCase(), value),
    ))
  }

  #words(version: ReceivedVersion): ReadonlyArray<readonly [name: string, value: string]> {
    const { peer } = this
    const from = [
      ['X-Forwarded-For', peer],
      ['X-Real-IP', peer],
    ] as const
    return [...(peer === '' ? [] : from), ['X-Forwarded-Proto', this.scheme], ['Via', this.via(version)]]
  }
}
