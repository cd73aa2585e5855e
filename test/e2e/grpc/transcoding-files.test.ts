// The files that transcoding goes by: what is wrong with one is told where it stands, and a reload reads them anew.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { type ConfigInput, createProxy } from 'sluice'
import { type GrpcBackend, protosDir, startGrpcBackend } from '../../../packages/backends/src/index.ts'
import { sluice, withFiles } from '../../../packages/sluice/test/support/command.ts'
import { Stage } from '../support/stage.ts'

const proto = (get: string) => `syntax = "proto3";
package sluice.test.v1;
import "google/api/annotations.proto";
service Echo {
  rpc Unary(EchoRequest) returns (EchoRequest) {
    option (google.api.http) = { get: "${get}" };
  }
}
message EchoRequest { string text = 1; }
`

const yaml = `listeners:
  rpc:
    bind: 127.0.0.1:0
    protocol: grpc
    upstream: grpc://127.0.0.1:1
    transcode: { protos: [echo.proto] }
`

describe('the files of transcoding', () => {
  const checked = async (files: Record<string, string>) =>
    await withFiles({ 'sluice.yaml': yaml, ...files }, async (cwd) => {
      const command = sluice(['check'], { cwd })
      return { code: await command.exit, stderr: command.stderr }
    })

  it('are read by `sluice check`', async () => {
    const { code, stderr } = await checked({ 'echo.proto': proto('/echo/{text}') })
    expect(code, stderr).to.equal(0)
  })

  it('that are absent or broken are an error with its place, the file and the line', async () => {
    const place = /^sluice\.yaml:6:16 listeners\.rpc\.transcode: /
    for (const [files, sentence] of [
      [{}, /echo\.proto: there is no such file/],
      [{ 'echo.proto': 'syntax = "proto3";\nmessage A { string = 1; }\n' }, /echo\.proto, line 2/],
      [{ 'echo.proto': proto('/echo/{texte}') }, /sluice\.test\.v1\.Echo\/Unary.*texte/],
      [{ 'echo.proto': proto('echo') }, /sluice\.test\.v1\.Echo\/Unary.*echo/],
      [{ 'echo.proto': 'syntax = "proto3";\nmessage A {}\n' }, /No method in .*echo\.proto/],
    ] as const) {
      const { code, stderr } = await checked(files)
      expect(code, stderr).to.equal(2)
      expect(stderr).to.match(place)
      expect(stderr).to.match(sentence)
      expect(stderr).not.to.match(/\n\s+at /)
    }
  })

  it('need includes that are directories', async () => {
    for (const include of ['nowhere', 'echo.proto']) {
      const { code, stderr } = await checked({
        'sluice.yaml': yaml.replace('[echo.proto]', `[echo.proto], includes: [., ${include}]`),
        'echo.proto': proto('/echo/{text}'),
      })
      expect(code, stderr).to.equal(2)
      expect(stderr).to.match(
        /^sluice\.yaml:6:54 listeners\.rpc\.transcode\.includes\[1\]: .*: there is no such directory\.$/m,
      )
    }
  })

  it('that are broken keep a proxy from starting', async () => {
    await withFiles({ 'echo.proto': 'syntax = "proto3";\nmessage A { string = 1; }\n' }, async (dir) => {
      const config: ConfigInput = {
        listeners: {
          rpc: {
            bind: '127.0.0.1:0',
            protocol: 'grpc',
            upstream: 'grpc://127.0.0.1:1',
            transcode: { protos: [join(dir, 'echo.proto')] },
          },
        },
      }
      const failure = await createProxy(config)
        .then((proxy) => proxy.listen())
        .then(
          () => undefined,
          (error: Error) => error,
        )
      expect(failure?.message).to.match(/^listeners\.rpc\.transcode: .*echo\.proto/)
    })
  })

  for (const threads of [0, 2]) {
    describe(`with ${threads} threads`, () => {
      let backend: GrpcBackend
      before(async () => {
        backend = await startGrpcBackend()
      })
      after(() => backend.close())

      it('are read anew by a reload; one that is broken changes nothing', async () => {
        await withFiles({ 'echo.proto': proto('/one/{text}') }, async (dir) => {
          const config = {
            threads,
            listeners: {
              rpc: {
                bind: '127.0.0.1:0',
                protocol: 'grpc',
                upstream: `grpc://127.0.0.1:${backend.address.port}`,
                transcode: { protos: [join(dir, 'echo.proto')], includes: [protosDir] },
              },
            },
          } as const
          const stage = await Stage.start(config)
          const statusOf = async (path: string) =>
            (await fetch(`http://127.0.0.1:${stage.port('rpc')}${path}`, { headers: { connection: 'close' } })).status
          expect([await statusOf('/one/a'), await statusOf('/two/a')]).to.deep.equal([200, 415])
          writeFileSync(join(dir, 'echo.proto'), proto('/two/{text}'))
          await stage.proxy.reload(config as unknown as ConfigInput)
          expect([await statusOf('/one/a'), await statusOf('/two/a')]).to.deep.equal([415, 200])
          writeFileSync(join(dir, 'echo.proto'), 'nonsense')
          const refused = await stage.proxy.reload(config as unknown as ConfigInput).then(
            () => undefined,
            (error: Error) => error.message,
          )
          expect(refused).to.match(/listeners\.rpc\.transcode: .*echo\.proto/)
          expect(await statusOf('/two/a')).to.equal(200)
          await stage.close()
        })
      })
    })
  }
})
