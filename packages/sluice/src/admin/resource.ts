/** One answer: JSON when the body is an object, else plain text. */
export interface Reply {
  readonly status: number
  readonly body: string | object
  readonly type?: string
  /** The methods that there are instead, when this one is not there. */
  readonly allow?: string
}

/** The methods that a resource may have. */
export type Method = 'GET' | 'POST' | 'PATCH' | 'PUT'

/** What is asked of a resource: the part of its path that stands for a name, and the body as JSON. */
export interface Call {
  readonly name: string
  readonly body: unknown
}

/** Something that can be asked for, and by which methods. */
export interface Resource {
  /** `*` stands for one name, which may contain anything. */
  readonly path: string
  readonly what: string
  readonly methods: Partial<Record<Method, (call: Call) => Reply | Promise<Reply>>>
  /** Whether its body is JSON that is read; otherwise it has none that matters. */
  readonly takesBody?: boolean
}

/** What a path leads to, and the name in it; undefined: nothing. A name that cannot be decoded is none. */
export function resourceAt(
  resources: readonly Resource[],
  path: string,
): { resource: Resource; name: string } | undefined {
  for (const resource of resources) {
    const [before = '', after] = resource.path.split('*', 2)
    if (after === undefined) {
      if (path === before) return { resource, name: '' }
      continue
    }
    const fits = path.startsWith(before) && path.endsWith(after) && path.length > before.length + after.length
    const name = fits ? decoded(path.slice(before.length, path.length - after.length)) : undefined
    if (name !== undefined) return { resource, name }
  }
  return undefined
}

/** Which methods it takes, for `Allow`. */
export function allowed({ methods }: Resource): string {
  return Object.keys(methods)
    .flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method]))
    .join(', ')
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
