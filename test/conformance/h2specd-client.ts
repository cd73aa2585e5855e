// node h2specd-client.ts PROXY_PORT URL: one request through Sluice to the case of h2specd that listens at URL, whose
// port the proxy's routes find by the name `pPORT.test`. What becomes of the request is h2specd's to judge.
import { request } from 'node:http'

const [port = '', url = ''] = process.argv.slice(2)
// h2specd breaks off when a case takes 3 s.
const patienceMs = 1_500

const call = request({
  host: '127.0.0.1',
  port: Number(port),
  headers: { host: `p${new URL(url).port}.test`, connection: 'close' },
  signal: AbortSignal.timeout(patienceMs),
})
call.on('response', (response) => {
  response.on('error', () => {})
  response.resume()
})
call.on('error', () => {})
call.end()
