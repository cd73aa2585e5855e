import type { Head } from './head.ts'
import { hostName } from './host.ts'
import {
  compareMatchers,
  compileMatch,
  matches,
  matchesRest,
  orderRules,
  type Matcher,
  type RouteMatch,
} from './match.ts'
import { matchesPath } from './path-pattern.ts'

/** What a router is built from: a match and what it leads to. */
export interface RouterEntry<T> {
  readonly match: RouteMatch
  readonly value: T
}

/** Which route a head meets, which it would meet without that one, and why in this order. */
export interface Explanation<T> {
  readonly winner: T | undefined
  readonly runnerUp: T | undefined
  /** A sentence for people. */
  readonly reason: string
}

interface Entry<T> {
  readonly matcher: Matcher
  readonly value: T
  /** Its place in the order of all: of two that match, the smaller wins. */
  readonly rank: number
}

/** The routes of one host pattern. Every list is sorted by rank. */
interface HostTable<T> {
  /** Routes by their whole path. */
  readonly exact: Map<string, Entry<T>[]>
  /** Routes by a hash of the literal text before their first `*`; equal hashes share a list and are told apart later. */
  readonly patterns: Map<number, Entry<T>[]>
  /** Routes of packages, by the same hash. */
  readonly packages: Map<number, Entry<T>[]>
  /** Routes that say nothing about the path. */
  readonly any: Entry<T>[]
}

// Clients choose what they write as host, so the cache of spellings is bounded, in number and in length.
const maxCachedHosts = 1024
const maxCachedHostLength = 255

/**
 * The most specific route for a head. Built once per configuration and never changed: a reload makes a new one.
 *
 * A look-up costs the same however many hosts and exact paths there are, and makes no object and no string (the first
 * look-up of a spelling of a host excepted).
 */
export class Router<T> {
  /** The one route there is, when it takes everything: then nothing of the head needs to be read. */
  readonly catchAll: T | undefined
  readonly #entries: readonly Entry<T>[]
  readonly #exactHosts = new Map<string, HostTable<T>>()
  readonly #wildcardHosts = new Map<string, HostTable<T>>()
  readonly #anyHost: HostTable<T> = emptyTable()
  readonly #anyHostOnly: ReadonlyArray<HostTable<T>>
  readonly #chains = new Map<string, ReadonlyArray<HostTable<T>>>()

  /** Throws a TypeError when a host or a path is no pattern; a checked configuration has none. */
  constructor(routes: ReadonlyArray<RouterEntry<T>>) {
    const compiled = routes.flatMap(({ match, value }) => compileMatch(match).map((matcher) => ({ matcher, value })))
    // The sort is stable, so that equal matchers stay in the order of the file.
    compiled.sort((a, b) => compareMatchers(a.matcher, b.matcher))
    this.#entries = compiled.map((entry, rank) => ({ ...entry, rank }))
    for (const entry of this.#entries) insert(this.#tableOf(entry.matcher), entry)
    this.#anyHostOnly = [this.#anyHost]
    const [only] = this.#entries
    this.catchAll = this.#entries.length === 1 && only !== undefined && takesAll(only.matcher) ? only.value : undefined
  }

  /** The value of the most specific route that takes the head; undefined when none does. */
  match(head: Head): T | undefined {
    if (this.catchAll !== undefined) return this.catchAll
    for (const table of this.#chain(head)) {
      const entry = findIn(table, head)
      if (entry !== undefined) return entry.value
    }
    return undefined
  }

  /** As `match`, with the runner-up and the reason. Looks at every route: not for the hot path. */
  explain(head: Head): Explanation<T> {
    const [winner, runnerUp] = this.#entries.filter((entry) => matches(entry.matcher, head))
    if (winner === undefined) return { winner: undefined, runnerUp: undefined, reason: 'No route matches.' }
    if (runnerUp === undefined) {
      return { winner: winner.value, runnerUp: undefined, reason: 'No other route matches.' }
    }
    const rule = orderRules.find(({ compare }) => compare(winner.matcher, runnerUp.matcher) !== 0)
    const because = rule?.words ?? 'it stands first in the file'
    return { winner: winner.value, runnerUp: runnerUp.value, reason: `It wins over the runner-up because ${because}.` }
  }

  /** The tables that may hold routes for a host, the most specific first. */
  #chain(head: Head): ReadonlyArray<HostTable<T>> {
    if (this.#exactHosts.size === 0 && this.#wildcardHosts.size === 0) return this.#anyHostOnly
    const { host } = head
    const cached = this.#chains.get(host)
    if (cached !== undefined) return cached
    const chain = this.#makeChain(hostName(host))
    if (host.length <= maxCachedHostLength) {
      if (this.#chains.size >= maxCachedHosts) this.#chains.clear()
      this.#chains.set(host, chain)
    }
    return chain
  }

  #makeChain(name: string): ReadonlyArray<HostTable<T>> {
    const chain: HostTable<T>[] = []
    const exact = this.#exactHosts.get(name)
    if (exact !== undefined) chain.push(exact)
    // The part before the first dot must not be empty for a name to lie below the rest, so the search begins at 1.
    for (let dot = name.indexOf('.', 1); dot > 0; dot = name.indexOf('.', dot + 1)) {
      const wildcard = this.#wildcardHosts.get(name.slice(dot + 1))
      if (wildcard !== undefined) chain.push(wildcard)
    }
    if (chain.length === 0) return this.#anyHostOnly
    chain.push(this.#anyHost)
    return chain
  }

  #tableOf({ host }: Matcher): HostTable<T> {
    if (host === undefined) return this.#anyHost
    const tables = host.wildcard ? this.#wildcardHosts : this.#exactHosts
    let table = tables.get(host.name)
    if (table === undefined) tables.set(host.name, (table = emptyTable()))
    return table
  }
}

const emptyTable = <T>(): HostTable<T> => ({ exact: new Map(), patterns: new Map(), packages: new Map(), any: [] })

function takesAll({ host, path, methods, headers }: Matcher): boolean {
  return host === undefined && path === undefined && methods === undefined && headers === undefined
}

function insert<T>(table: HostTable<T>, entry: Entry<T>): void {
  const { path } = entry.matcher
  if (path === undefined) table.any.push(entry)
  else if (path.exact) append(table.exact, path.text, entry)
  else append(path.package ? table.packages : table.patterns, hashOf(path.literalPrefix), entry)
}

function append<K, T>(lists: Map<K, Entry<T>[]>, key: K, entry: Entry<T>): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [entry])
  else list.push(entry)
}

function findIn<T>(table: HostTable<T>, head: Head): Entry<T> | undefined {
  if (table.exact.size > 0) {
    const exact = table.exact.get(head.path)
    const entry = exact === undefined ? undefined : firstOf(exact, head)
    if (entry !== undefined) return entry
  }
  let best = table.patterns.size > 0 ? findPattern(table.patterns, head) : undefined
  if (table.packages.size > 0) best = findPackage(table.packages, head, best)
  return best ?? firstOf(table.any, head)
}

function firstOf<T>(entries: readonly Entry<T>[], head: Head): Entry<T> | undefined {
  for (const entry of entries) if (matchesRest(entry.matcher, head)) return entry
  return undefined
}

/**
 * One pass over the path: wherever a segment ends, what stands before may be the literal text before the first `*` of
 * a pattern. A running hash finds those without cutting a string; `matchesPath` compares the text itself.
 */
function findPattern<T>(patterns: ReadonlyMap<number, Entry<T>[]>, head: Head): Entry<T> | undefined {
  const { path } = head
  let best: Entry<T> | undefined
  let hash = 0
  for (let at = 0; at <= path.length; at++) {
    const code = at === path.length ? slash : path.charCodeAt(at)
    if (code === slash) {
      const entries = patterns.get(hash)
      if (entries !== undefined) best = betterOf(entries, head, path, best)
    }
    hash = step(hash, code)
  }
  return best
}

/** As `findPattern`, but in the first segment, wherever a dot ends the name of a package. */
function findPackage<T>(
  packages: ReadonlyMap<number, Entry<T>[]>,
  head: Head,
  best: Entry<T> | undefined,
): Entry<T> | undefined {
  const { path } = head
  let hash = step(0, slash)
  for (let at = 1; at < path.length; at++) {
    const code = path.charCodeAt(at)
    if (code === slash) break
    if (code === dot) {
      const entries = packages.get(hash)
      if (entries !== undefined) best = betterOf(entries, head, path, best)
    }
    hash = step(hash, code)
  }
  return best
}

function betterOf<T>(
  entries: readonly Entry<T>[],
  head: Head,
  path: string,
  best: Entry<T> | undefined,
): Entry<T> | undefined {
  for (const entry of entries) {
    if (best !== undefined && entry.rank >= best.rank) return best
    const pattern = entry.matcher.path
    if (pattern !== undefined && matchesPath(pattern, path) && matchesRest(entry.matcher, head)) return entry
  }
  return best
}

const slash = 0x2f
const dot = 0x2e

// 30 bits, so that V8 keeps the number without an object around it.
const step = (hash: number, code: number): number => (Math.imul(hash, 31) + code) & 0x3fffffff

function hashOf(text: string): number {
  let hash = 0
  for (let i = 0; i < text.length; i++) hash = step(hash, text.charCodeAt(i))
  return hash
}
