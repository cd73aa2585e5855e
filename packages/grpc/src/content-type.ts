/** What a content type announces: gRPC on HTTP/2, or gRPC-Web in octets or in base64. */
export type GrpcFormat = 'grpc' | 'web' | 'webText'

const formats: readonly (readonly [string, GrpcFormat])[] = [
  ['application/grpc-web-text', 'webText'],
  ['application/grpc-web', 'web'],
  ['application/grpc', 'grpc'],
]

/**
 * The format that a content type names, in any letter case, with a suffix (`+proto`) or parameters (`;…`);
 * `undefined` for everything else, `application/grpcfoo` too.
 */
export function grpcFormat(contentType: string): GrpcFormat | undefined {
  if (contentType === 'application/grpc') return 'grpc'
  // Letters in capitals are rare, and strings that are not gRPC's at all are common.
  if (contentType.length < 16) return undefined
  const lower = contentType.toLowerCase()
  if (!lower.startsWith('application/grpc')) return undefined
  for (const [name, format] of formats) {
    if (lower.startsWith(name) && endsName(lower.charCodeAt(name.length))) return format
  }
  return undefined
}

// The end, `+`, `;`, space, tab.
function endsName(code: number): boolean {
  return Number.isNaN(code) || code === 0x2b || code === 0x3b || code === 0x20 || code === 0x09
}

/** The content type for the upstream of a gRPC-Web request: the suffix stays, and says how messages are encoded. */
export function contentTypeUpstream(webContentType: string): string {
  return `application/grpc${suffix(webContentType)}`
}

/** The content type of a gRPC-Web answer, made of the upstream's. */
export function contentTypeOfWeb(upstreamContentType: string, text: boolean): string {
  return `application/grpc-web${text ? '-text' : ''}${suffix(upstreamContentType) || '+proto'}`
}

function suffix(contentType: string): string {
  return /^[^;\s]*?(\+[^;\s]*)/.exec(contentType)?.[1] ?? ''
}

/**
 * Whether a gRPC-Web caller wants base64: what `accept` names decides, then what it sends itself (PROTOCOL-WEB.md,
 * "Protocol differences"). Without `accept`, or with one that names neither, the answer is in the request's format.
 */
export function wantsText(contentType: string, accept: string | undefined): boolean {
  for (const part of accept?.split(',') ?? []) {
    const format = grpcFormat(part.trim())
    if (format === 'webText') return true
    if (format === 'web') return false
  }
  return grpcFormat(contentType) === 'webText'
}
