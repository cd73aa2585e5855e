// node delayed.ts PORT: answers every request head with 100 bytes after 5 ms (4, 5 or 6 by chance: always 5 would let
// the connections fall into step and wait for each other), and says in x-took-us how long it took.
// Timers have a grain of a millisecond, ten times what a proxy adds; with the header the client can leave it out.
import { createServer } from 'node:net'

const delaysMs = [4, 5, 6]
const body = 'x'.repeat(100)
const microseconds = () => performance.now() * 1000

createServer({ noDelay: true }, (socket) => {
  let unfinished = ''
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk) => {
    const receivedAt = microseconds()
    const heads = (unfinished + chunk.toString('latin1')).split('\r\n\r\n')
    unfinished = heads.pop()!
    for (const _ of heads) {
      setTimeout(
        () => {
          const took = (microseconds() - receivedAt).toFixed(1)
          socket.write(
            `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\nX-Took-Us: ${took}\r\n\r\n${body}`,
          )
        },
        delaysMs[Math.floor(Math.random() * delaysMs.length)],
      )
    }
  })
}).listen(Number(process.argv[2]), '127.0.0.1')
