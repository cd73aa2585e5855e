/** What a route can be matched on. A protocol's exchange implements it; reading a member may be what makes its string. */
export interface Head {
  /** `http`, `websocket`, `grpc` or `tcp`: the protocol of the exchange, not of its listener. */
  readonly protocol: string
  /** The authority as it came, port and letter case included; `''` when the protocol has none. */
  readonly host: string
  /** The normal form of the path (see `normalizePath`), without the query; `''` when the protocol has none. */
  readonly path: string
  /** The method, in the case it came in; `''` when the protocol has none. */
  readonly method: string
  /** The value of a field by its lower-case name, several values joined with `, `; undefined when absent. */
  header(name: string): string | undefined
  /** The address of the client, behind trusted proxies the one they tell (see `TrustedProxies`). */
  readonly clientAddress: string
  /** The name the client asked for by SNI; undefined without TLS or without SNI. */
  readonly tlsName: string | undefined
}
