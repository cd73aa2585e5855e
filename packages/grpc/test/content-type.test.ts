import { expect } from 'chai'
import { contentTypeOfWeb, contentTypeUpstream, grpcFormat, wantsText } from '../src/content-type.ts'

describe('content type', () => {
  it('of gRPC is told from that of gRPC-Web', () => {
    expect(grpcFormat('application/grpc')).to.equal('grpc')
    expect(grpcFormat('application/grpc+proto')).to.equal('grpc')
    expect(grpcFormat('Application/gRPC+json; charset=utf-8')).to.equal('grpc')
    expect(grpcFormat('application/grpc ;a=b')).to.equal('grpc')
    expect(grpcFormat('application/grpc-web')).to.equal('web')
    expect(grpcFormat('application/grpc-web+thrift')).to.equal('web')
    expect(grpcFormat('application/grpc-web-text')).to.equal('webText')
    expect(grpcFormat('application/grpc-web-text+proto')).to.equal('webText')
  })

  it('of anything else is not taken for gRPC', () => {
    const others = [
      '',
      'application/grpcfoo',
      'application/grpc-foo',
      'application/grpc-webfoo',
      'application/grpc-web-textual',
    ]
    for (const other of [...others, 'application/json', 'text/plain; a=application/grpc', ' application/grpc']) {
      expect(grpcFormat(other), other).to.equal(undefined)
    }
  })

  it('keeps its suffix on the way up and down', () => {
    expect(contentTypeUpstream('application/grpc-web-text+proto')).to.equal('application/grpc+proto')
    expect(contentTypeUpstream('application/grpc-web')).to.equal('application/grpc')
    expect(contentTypeUpstream('application/grpc-web+json; a=b+c')).to.equal('application/grpc+json')
    expect(contentTypeOfWeb('application/grpc', false)).to.equal('application/grpc-web+proto')
    expect(contentTypeOfWeb('application/grpc+json', true)).to.equal('application/grpc-web-text+json')
    expect(contentTypeOfWeb('application/grpc; a=b+c', true)).to.equal('application/grpc-web-text+proto')
  })

  it('of the answer is what accept names, and else that of the request', () => {
    expect(wantsText('application/grpc-web-text', undefined)).to.equal(true)
    expect(wantsText('application/grpc-web-text', '*/*')).to.equal(true)
    expect(wantsText('application/grpc-web+proto', undefined)).to.equal(false)
    expect(wantsText('application/grpc-web', 'application/json, application/grpc-web-text')).to.equal(true)
    expect(wantsText('application/grpc-web-text', 'application/grpc-web+proto')).to.equal(false)
  })
})
