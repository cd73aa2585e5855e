/**
 * What the command asks of the Node that it starts.
 *
 * Young objects are collected in small steps. Left alone, V8 lets up to 64 MiB of dead buffers gather between two
 * collections, which shows as memory of the proxy. Measured on 64 streams under TLS on both sides, 2 GB each way: 175 MB
 * resident instead of 240. A space that small is not worth waking other threads for: without them a small TCP exchange
 * costs 0.7 µs of 17 less.
 */
export const nodeFlags = ['--max-semi-space-size=2', '--no-parallel-scavenge']
