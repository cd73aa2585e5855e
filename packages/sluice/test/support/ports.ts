import { once } from 'node:events'
import { createServer } from 'node:net'

/** Whether nobody has bound it. */
export async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  const bound = once(server, 'listening').then(
    () => true,
    () => false,
  )
  server.listen(port, '127.0.0.1')
  const free = await bound
  if (free) await new Promise((resolve) => server.close(resolve))
  return free
}

/** One that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}
