/** What went wrong with a socket, as far as it decides anything. */
export type LinkErrorKind =
  | 'refused' // nobody listens there
  | 'unreachable' // no way there
  | 'reset' // the peer broke off
  | 'timedOut' // the kernel gave up
  | 'tls' // handshake or certificate
  | 'descriptors' // this process or machine has none left, or no port
  | 'other'

/** Why a link closed other than by both sides' FIN. */
export class LinkError {
  readonly kind: LinkErrorKind
  readonly message: string
  readonly cause: unknown

  constructor(kind: LinkErrorKind, message: string, cause: unknown) {
    this.kind = kind
    this.message = message
    this.cause = cause
  }

  /** Maps what Node reports, once for all protocols. */
  static from(error: unknown): LinkError {
    const { code, message } = error as { code?: string; message?: string }
    return new LinkError(kindOf(code ?? ''), message ?? String(error), error)
  }
}

function kindOf(code: string): LinkErrorKind {
  switch (code) {
    case 'ECONNREFUSED':
    case 'ENOENT': // a Unix socket that is not there
      return 'refused'
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'ENOTFOUND':
    case 'EACCES':
    case 'EPERM':
      return 'unreachable'
    case 'ECONNRESET':
    case 'EPIPE':
    case 'ECONNABORTED':
    case 'ERR_STREAM_DESTROYED':
    case 'ERR_SOCKET_CLOSED':
      return 'reset'
    case 'ETIMEDOUT':
      return 'timedOut'
    case 'EADDRNOTAVAIL': // no local port is left
    case 'EMFILE':
    case 'ENFILE':
    case 'ENOBUFS':
    case 'ENOMEM':
      return 'descriptors'
    default:
      return /^(ERR_SSL|ERR_TLS|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|EPROTO|HOSTNAME_MISMATCH)/.test(code)
        ? 'tls'
        : 'other'
  }
}
