import { createServer, connect, type Socket } from 'node:net'
import { adopt } from './adopt.ts'
import { HandleOutlet, learnWriteRequest } from './outlet.ts'

let chosen = false
let tested: Promise<boolean> | undefined

/** Whether links of this thread read into buffers of ours. Decided by `testLinks`; until then they do not. */
export function ownedBuffers(): boolean {
  return chosen
}

/**
 * Chooses how links read: into owned buffers, or by plain `'data'` events where that does not work.
 *
 * Owned buffers rest on adopting an accepted socket's handle, and fast writes on writing to it, neither of which Node
 * documents. So both are tried once a thread, on a loopback connection: bytes and FIN must arrive, both ways.
 * `SLUICE_LINK=plain` chooses the plain way.
 */
export function testLinks(): Promise<boolean> {
  tested ??= (
    process.env['SLUICE_LINK'] === 'plain' || process.platform === 'win32' ? Promise.resolve(false) : tryAdoption()
  ).then((works) => {
    chosen = works
    return works
  })
  return tested
}

function tryAdoption(): Promise<boolean> {
  return new Promise((resolve) => {
    let client: Socket | undefined
    let adopted: Socket | undefined
    let received = 0
    let heard = false
    let answer = ''
    const finish = (works: boolean) => {
      clearTimeout(timer)
      client?.destroy()
      adopted?.destroy()
      server.close()
      resolve(works)
    }
    const timer = setTimeout(finish, 1_000, false)
    const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (accepted) => {
      try {
        adopted = adopt(accepted, {
          buffer: () => Buffer.allocUnsafeSlow(1024),
          callback: (bytes: number) => {
            received += bytes
            return true
          },
        })
        learnWriteRequest(adopted)
        adopted.write(Buffer.from('by its stream, '))
        if (!HandleOutlet.works) throw new Error('a write request cannot be learned')
        new HandleOutlet(adopted, () => {}).write(Buffer.from('by its '), [Buffer.from('handle')], undefined)
        adopted.end()
        adopted.on('error', () => finish(false))
        adopted.on('end', () => (heard = received === 2))
      } catch {
        finish(false)
      }
    })
    server.on('error', () => finish(false))
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      if (address === null || typeof address === 'string') return finish(false)
      client = connect(address.port, '127.0.0.1')
      client.on('error', () => finish(false))
      client.on('data', (bytes) => (answer += bytes.toString()))
      client.on('close', () => finish(heard && answer === 'by its stream, by its handle'))
      client.end('ok')
    })
  })
}
