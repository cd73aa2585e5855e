// node grpc-js.ts PORT: a server of @grpc/grpc-js whose one unary method gives back the bytes it is sent.
import { Server, ServerCredentials } from '@grpc/grpc-js'
import { say } from './grpc-say.ts'

const server = new Server()
server.addService(
  { say },
  { say: (call: { request: Buffer }, answer: (error: null, value: Buffer) => void) => answer(null, call.request) },
)
server.bindAsync(`127.0.0.1:${process.argv[2]}`, ServerCredentials.createInsecure(), (error) => {
  if (error !== null) throw error
})
