// A gRPC client on @grpc/grpc-js: node examples/grpc-call.mjs [ADDRESS] [TEXT]
import { fileURLToPath } from 'node:url'
import { credentials, loadPackageDefinition } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'

const [address = '127.0.0.1:50050', text = 'hello'] = process.argv.slice(2)
const protos = fileURLToPath(new URL('../protos', import.meta.url))
const { sluice } = loadPackageDefinition(loadSync('sluice/test/v1/echo.proto', { includeDirs: [protos] }))
const client = new sluice.test.v1.Echo(address, credentials.createInsecure())

client.Unary({ text }, (error, answer) => {
  if (error) console.error(`${error.code}: ${error.details}`)
  else console.log(`one answer, from ${answer.backend}: ${answer.text}`)
})

const stream = client.ServerStream({ text, behaviour: { responses: 3, delayMs: 500 } })
stream.on('data', (answer) => console.log(`answer ${answer.index} of a stream, from ${answer.backend}`))
stream.on('error', (error) => console.error(`${error.code}: ${error.details}`))
stream.on('end', () => client.close())
