/** A measurement of one part of Sluice, without sockets and without peers. */
export interface Micro {
  readonly name: string
  readonly title: string
  /** Measures and prints. */
  run(): Promise<unknown>
}

/** All of them by their names. */
export const micros: readonly Micro[] = [
  {
    name: 'gate',
    title: 'acquire and release of a gate, in one thread and shared; wake-up of another thread',
    run: () => import('./gate.ts'),
  },
  {
    name: 'http1-head',
    title: 'parsing of a request head and of a response head',
    run: () => import('./http1-head.ts'),
  },
  {
    name: 'hpack',
    title: 'decoding and encoding of header blocks of gRPC calls',
    run: () => import('./hpack.ts'),
  },
]
