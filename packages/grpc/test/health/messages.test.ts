import { fileURLToPath } from 'node:url'
import { loadSync, type MessageTypeDefinition } from '@grpc/proto-loader'
import { expect } from 'chai'
import {
  decodeHealthRequest,
  decodeHealthResponse,
  encodeHealthRequest,
  encodeHealthResponse,
  servingStatus,
  type ServingStatusName,
} from '../../src/health/messages.ts'

const file = fileURLToPath(new URL('../../../../protos/grpc/health/v1/health.proto', import.meta.url))
const definitions = loadSync(file, { enums: String, defaults: true })
const independent = (name: string) =>
  definitions[`grpc.health.v1.${name}`] as unknown as MessageTypeDefinition<object, object>

describe('messages of grpc.health.v1', () => {
  it('are those of the .proto file', () => {
    const request = independent('HealthCheckRequest')
    for (const service of ['', 'shop.v1.Orders', 'ä']) {
      expect(request.deserialize(encodeHealthRequest(service))).to.deep.equal({ service })
      expect(decodeHealthRequest(request.serialize({ service }))).to.equal(service)
    }
    const response = independent('HealthCheckResponse')
    for (const status of Object.keys(servingStatus) as ServingStatusName[]) {
      expect(response.deserialize(encodeHealthResponse(status))).to.deep.equal({ status })
      expect(decodeHealthResponse(response.serialize({ status }))).to.equal(status)
    }
  })

  it('are read past fields that are not known', () => {
    expect(decodeHealthRequest(Buffer.from([0x10, 1, 0x0a, 1, 0x61, 0x1a, 1, 2]))).to.equal('a')
    expect(decodeHealthResponse(Buffer.from([0x10, 5, 0x08, 1]))).to.equal('SERVING')
    expect(decodeHealthResponse(Buffer.from([0x08, 99]))).to.equal('UNKNOWN')
  })

  it('are undefined when they are malformed', () => {
    expect(decodeHealthRequest(Buffer.from([0x0a, 5, 0x61]))).to.equal(undefined)
    expect(decodeHealthResponse(Buffer.from([0x08, 0x80]))).to.equal(undefined)
  })
})
