import { canonicalMatch, type RouteMatch } from '../routing/match.ts'

// Names are letters, digits and `_ . -`, so an id with `:` or `/` is never the name of a gate under `gates`, and an
// anonymous upstream (named by its address) never has the name of another.

/** What the names of listeners, routes, gates and upstreams look like. */
export const namePattern = String.raw`[A-Za-z\d][\w.-]*`

const name = new RegExp(`^${namePattern}$`)

/** Whether a text may name a listener, route, gate or upstream. */
export function isName(text: string): boolean {
  return name.test(text)
}

/** `LISTENER/NAME`, or `LISTENER/` and the canonical match of a route without a name. */
export function routeId(
  listener: string,
  route: { readonly name?: string | undefined; readonly match?: RouteMatch | undefined },
): string {
  return `${listener}/${route.name ?? canonicalMatch(route.match ?? {})}`
}

/** The id of a route's own gate, by the route's id. */
export const routeGateId = (route: string): string => `route:${route}`

/** The id of a listener's own gate. */
export const listenerGateId = (listener: string): string => `listener:${listener}`

/** The id of an upstream's gate. */
export const upstreamGateId = (upstream: string): string => `upstream:${upstream}`

/** The id of an endpoint and its limit, by its formatted address. */
export const endpointId = (upstream: string, address: string): string => `endpoint:${upstream}/${address}`
