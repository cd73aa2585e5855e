import { expect } from 'chai'
import { Origins } from '../../src/web/cors.ts'

const app = 'https://app.example.com'
const preflight = { origin: app, requestMethod: 'POST', requestHeaders: 'content-type, x-grpc-web,authorization' }

describe('origins', () => {
  const some = new Origins([`${app}/`, 'https://B.example.com'])
  const all = new Origins(['*'])

  it('answer a preflight with what was asked for', () => {
    expect(some.preflight(preflight)).to.deep.equal([
      ['access-control-allow-origin', app],
      ['access-control-allow-methods', 'POST'],
      ['access-control-allow-headers', 'content-type, x-grpc-web, authorization'],
      ['access-control-max-age', '86400'],
      ['vary', 'origin, access-control-request-method, access-control-request-headers'],
    ])
  })

  it('answer * when all are allowed', () => {
    expect(all.preflight({ ...preflight, origin: 'https://x.test' })).to.deep.include([
      'access-control-allow-origin',
      '*',
    ])
    expect(all.response('https://x.test')[0]).to.deep.equal(['access-control-allow-origin', '*'])
  })

  it('echo nothing that is no field name', () => {
    const fields = some.preflight({ ...preflight, requestHeaders: 'x-a, b c, , d\r\ne, x-f' })
    expect(fields).to.deep.include(['access-control-allow-headers', 'x-a, x-f'])
    const none = some.preflight({ ...preflight, requestHeaders: undefined })
    expect(none?.map(([name]) => name)).not.to.include('access-control-allow-headers')
  })

  it('allow the method that a path is bound for besides POST', () => {
    const patch = { ...preflight, requestMethod: 'PATCH', boundMethod: 'PATCH' }
    expect(some.preflight(patch)).to.deep.include(['access-control-allow-methods', 'PATCH'])
    expect(some.preflight({ ...patch, requestMethod: 'POST' })).to.deep.include([
      'access-control-allow-methods',
      'POST',
    ])
    expect(some.preflight({ ...patch, requestMethod: 'PUT' })).to.equal(undefined)
    expect(some.preflight({ ...patch, origin: 'https://evil.example.com' })).to.equal(undefined)
    expect(all.preflight({ ...patch, requestMethod: 'a, b', boundMethod: 'a, b' })).to.equal(undefined)
  })

  it('do not answer for strangers, other methods, and what is no preflight', () => {
    expect(some.preflight({ ...preflight, origin: 'https://evil.example.com' })).to.equal(undefined)
    expect(some.preflight({ ...preflight, origin: `${app}.evil.test` })).to.equal(undefined)
    expect(some.preflight({ ...preflight, origin: 'null' })).to.equal(undefined)
    expect(some.preflight({ ...preflight, origin: undefined })).to.equal(undefined)
    expect(some.preflight({ ...preflight, requestMethod: 'GET' })).to.equal(undefined)
    expect(some.preflight({ ...preflight, requestMethod: undefined })).to.equal(undefined)
  })

  it('expose the status and the fields of the answer, once each', () => {
    const names = ['Content-Type', 'x-id', 'X-ID', 'grpc-status', ':status', 'set-cookie']
    expect(some.response('https://b.example.com', names)).to.deep.equal([
      ['access-control-allow-origin', 'https://b.example.com'],
      ['vary', 'origin'],
      ['access-control-expose-headers', 'grpc-status, grpc-message, grpc-status-details-bin, content-type, x-id'],
    ])
  })

  it('give strangers nothing but vary', () => {
    expect(some.response('https://evil.example.com', ['x-id'])).to.deep.equal([['vary', 'origin']])
    expect(some.response(undefined)).to.deep.equal([['vary', 'origin']])
    expect(all.response(undefined)).to.deep.equal([])
  })
})
