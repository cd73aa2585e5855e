import { createServer, type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { WebSocket, WebSocketServer } from 'ws'
import { type Backend, type BackendOptions, bind, type Neighbours, shut, trackSockets } from './backend.ts'
import { answerMax } from './max.ts'
import { Tally } from './tally.ts'

/** How a WebSocket backend is started. */
export interface WebSocketBackendOptions extends BackendOptions {
  /** Bytes of the largest message; a larger one is closed with 1009. Default: 104_857_600. */
  readonly maxPayloadBytes?: number
  /** The backends that `/max?backend=` tells of. Default: this one alone. */
  readonly neighbours?: Neighbours
}

/**
 * Starts a WebSocket backend: `/` echoes, `/broadcast` sends to all who are there, `/close?code=4001&reason=x` closes,
 * `/reset` breaks off after the 101, `/hang` never answers, `/refuse?status=403` refuses the upgrade. The first
 * subprotocol offered is the one chosen. A plain GET of `/max` tells the counts; a unit is an upgrade.
 */
export async function startWebSocketBackend(options: WebSocketBackendOptions = {}): Promise<Backend> {
  const name = options.name ?? 'websocket'
  const tally = options.tally ?? new Tally()
  const server = createServer({ requestTimeout: 0, headersTimeout: 0 })
  const sockets = trackSockets(server)
  const upgrader = new WebSocketServer({
    noServer: true,
    maxPayload: options.maxPayloadBytes ?? 104_857_600,
    handleProtocols: (offered) => offered.values().next().value ?? false,
  })
  upgrader.on('headers', (lines) => lines.push(`x-backend: ${name}`))
  const present = new Set<WebSocket>()

  server.on('request', (req: IncomingMessage, res: ServerResponse) => {
    res.setHeader('x-backend', name).setHeader('content-type', 'application/json')
    if (/^\/max\b/.test(req.url ?? '')) {
      const { status, value } = answerMax(req.url ?? '', backend, options.neighbours)
      res.writeHead(status).end(`${JSON.stringify(value, null, 2)}\n`)
    } else if (req.url === '/healthz') res.end('"ok"\n')
    else res.writeHead(426, { upgrade: 'websocket', connection: 'upgrade' }).end('"upgrade required"\n')
  })
  server.on('upgrade', (req: IncomingMessage, socket: Socket, head: Buffer) => {
    const url = new URL(req.url ?? '/', 'ws://backend')
    const leave = tally.enter()
    const unit = url.searchParams.get('unit')
    if (unit !== null) tally.name(unit, leave)
    // 'close' comes at the end of the turn, after upgrades that this departure made room for; these come at once.
    socket.on('error', () => leave({ byPeer: true, aborted: true }))
    socket.once('end', () => leave({ byPeer: true, aborted: false }))
    socket.once('close', () => leave({ byPeer: true, aborted: false }))
    if (url.pathname === '/refuse') {
      leaveAlone(socket)
      socket.end(refusal(name, url), () => leave({ byPeer: false, aborted: false }))
    } else if (url.pathname === '/hang') leaveAlone(socket)
    else upgrader.handleUpgrade(req, socket, head, (client) => serve(client, socket, url, present))
  })

  const address = await bind(server, options)
  const backend: Backend = {
    name,
    address,
    stats: () => tally.stats(),
    resetStats: () => tally.reset(),
    close: () => shut(server, sockets),
  }
  return backend
}

/** Reads a socket that nobody else reads, without which its FIN would never be seen. */
function leaveAlone(socket: Socket): void {
  socket.resume()
  socket.once('end', () => socket.end())
}

function refusal(name: string, url: URL): string {
  const wanted = Number(url.searchParams.get('status') ?? 403)
  const status = Number.isInteger(wanted) && wanted >= 200 && wanted <= 599 ? wanted : 400
  const body = `refused with ${status}\n`
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Refused'}`,
    `x-backend: ${name}`,
    'content-type: text/plain',
    `content-length: ${body.length}`,
    'connection: close',
  ]
  return `${head.join('\r\n')}\r\n\r\n${body}`
}

const maxEchoBuffered = 1_048_576

function serve(client: WebSocket, socket: Socket, url: URL, present: Set<WebSocket>): void {
  client.on('error', () => undefined) // 'close' follows, and the peer was told by a close frame
  switch (url.pathname) {
    case '/close':
      close(client, Number(url.searchParams.get('code') ?? 1000), url.searchParams.get('reason') ?? '')
      break
    case '/reset':
      socket.resetAndDestroy()
      break
    case '/broadcast':
      present.add(client)
      client.once('close', () => present.delete(client))
      client.on('message', (data, isBinary) => {
        for (const one of present) if (one.readyState === WebSocket.OPEN) one.send(data, { binary: isBinary })
      })
      break
    default:
      client.on('message', (data, isBinary) => {
        client.send(data, { binary: isBinary }, () => client.isPaused && client.resume())
        // A client that sends and does not read would otherwise fill the memory with its own echo.
        if (client.bufferedAmount > maxEchoBuffered) client.pause()
      })
  }
}

function close(client: WebSocket, code: number, reason: string): void {
  try {
    client.close(code, reason)
  } catch (error) {
    // ws refuses codes that must not be sent, such as 1005.
    client.close(1011, error instanceof Error ? error.message.slice(0, 120) : 'no such code')
  }
}
