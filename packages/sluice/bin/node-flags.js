/**
 * What the command asks of the Node that it starts.
 *
 * Young objects are collected in small steps. Left alone, V8 lets up to 64 MiB of dead buffers gather between two
 * collections, which shows as memory of the proxy. Measured on 64 streams under TLS on both sides, 2 GB each way: 175 MB
 * resident instead of 240.
 */
export const nodeFlags = ['--max-semi-space-size=2']
