// The rules of the architecture that no compiler checks, over all files of the repository.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect } from 'chai'

const root = join(import.meta.dirname, '..')

/** What is committed, or staged to be. */
const files = execFileSync('git', ['ls-files'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '')

const text = (file: string): string => {
  try {
    return readFileSync(join(root, file), 'utf8')
  } catch {
    return '' // deleted, but not committed yet
  }
}

const typescript = files.filter((file) => file.endsWith('.ts') && text(file) !== '')
const sources = typescript.filter((file) => /^packages\/[^/]+\/src\//.test(file))
const packageOf = (file: string): string => file.split('/')[1]!

/** The code of a file: without comments, and without what its strings say where no module can be named. */
function code(source: string): string {
  return source
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/(^|[^:'"`\\])\/\/.*$/gm, '$1')
    .replace(/`(?:\\.|[^`\\])*`/g, '``')
}

/** The modules that a file imports or re-exports, types included. */
function imports(source: string): string[] {
  const found = code(source).matchAll(/(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire\s*\(\s*)(['"])([^'"\n]+)\1/g)
  return [...found].map((match) => match[2]!)
}

/** Which packages of ours each package may import. `backends` and `testkit` are for tests. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  wire: [],
  core: [],
  tcp: ['wire', 'core'],
  http: ['wire', 'core'],
  websocket: ['wire', 'core', 'http'],
  grpc: ['wire', 'core', 'http'],
  'http-proxy': ['wire', 'core', 'http'],
  sluice: ['wire', 'core', 'tcp', 'http', 'websocket', 'grpc', 'backends'],
  backends: [],
  testkit: ['wire', 'core'],
}

/** Bytes of clients and upstreams pass here: 4 to 8 times dearer modules stay out. */
const dataPath = ['wire', 'core', 'tcp', 'http', 'websocket']
const tooDear = /^(node:)?(http|https|http2)$|^undici($|\/)/

/** The package of ours that a module belongs to, whichever way it is named. */
function ownPackage(module: string, file: string): string | undefined {
  if (module === 'sluice' || module.startsWith('sluice/')) return 'sluice'
  if (module.startsWith('@sluice/')) return module.split('/')[1]!
  if (!module.startsWith('.')) return undefined
  const path = join(file, '..', module)
  return path.startsWith('packages/') ? packageOf(path) : path.split('/')[0]
}

const breaking = (broken: (file: string, module: string) => boolean): string[] =>
  sources.flatMap((file) =>
    imports(text(file))
      .filter((module) => broken(file, module))
      .map((module) => `${file} imports ${module}`),
  )

describe('architecture', () => {
  it('is read from sources that are really there', () => {
    expect(sources.length).to.be.greaterThan(100)
    expect(breaking(() => true).length).to.be.greaterThan(300)
    expect(imports(text('packages/tcp/src/exchange.ts'))).to.include.members(['@sluice/core', '@sluice/wire'])
    const tricky = `import a from 'a'\n// import b from 'b'\nexport * from "c"\nconst d = await import('d')\nimport 'e'`
    expect(imports(tricky)).to.deep.equal(['a', 'c', 'd', 'e'])
  })

  it('lets each package import only those beneath it', () => {
    const broken = breaking((file, module) => {
      const own = ownPackage(module, file)
      return own !== undefined && own !== packageOf(file) && !mayImport[packageOf(file)]!.includes(own)
    })
    expect(broken).to.deep.equal([])
  })

  it('reaches other packages by their name, never by a path', () => {
    const broken = breaking(
      (file, module) =>
        module.startsWith('.') && !join(file, '..', module).startsWith(`packages/${packageOf(file)}/src/`),
    )
    expect(broken.filter((line) => !/ imports (\.\.\/)+package\.json$/.test(line))).to.deep.equal([])
  })

  it('knows every package', () => {
    expect(Object.keys(mayImport)).to.include.members([...new Set(sources.map(packageOf))])
  })

  it('keeps what is too dear off the data path: node:http, node:http2 and undici', () => {
    expect(breaking((file, module) => dataPath.includes(packageOf(file)) && tooDear.test(module))).to.deep.equal([])
  })

  it('keeps sockets out of core, and out of every protocol but through the link', () => {
    const broken = breaking(
      (file, module) =>
        packageOf(file) !== 'wire' && dataPath.includes(packageOf(file)) && /^(node:)?(net|tls)$/.test(module),
    )
    expect(broken).to.deep.equal([])
  })

  it('lets only `sluice` read files, environment and signals', () => {
    const broken = sources.filter(
      (file) =>
        dataPath.includes(packageOf(file)) &&
        (imports(text(file)).some((module) => /^(node:)?fs($|\/)/.test(module)) ||
          /\bprocess\.(on|once|argv)\b/.test(code(text(file)))),
    )
    expect(broken).to.deep.equal([])
  })

  // A WebSocket and a call of gRPC begin as exchanges of HTTP and ride on its listener and connections.
  const firstFiles: Readonly<Record<string, readonly string[]>> = {
    tcp: ['index', 'options', 'listener', 'exchange', 'connection'],
    http: ['index', 'options', 'listener', 'exchange', 'connection'],
    websocket: ['index', 'exchange'],
    grpc: ['index', 'exchange'],
  }
  for (const [protocol, names] of Object.entries(firstFiles)) {
    it(`has the same first files in ${protocol}: ${names.join(', ')}`, () => {
      expect(sources).to.include.members(names.map((name) => `packages/${protocol}/src/${name}.ts`))
    })
  }
})

describe('files', () => {
  /** Why a source may be longer than 400 lines. */
  const longer: Readonly<Record<string, string>> = {
    'packages/core/src/exchange.ts': 'the whole life of a unit, to be read at one sitting',
    'packages/http/src/exchange.ts': 'the narrow place between two halves: one short member for each thing that passes',
    'packages/http/src/http1/session.ts':
      'the state machine of one client connection, whose steps all touch the same state',
    'packages/wire/src/http2/http2-session.ts': 'what one connection is: its life, its settings, its last words',
    'packages/wire/src/http2/http2-stream.ts': 'the state machine of one stream, in both directions',
    'packages/wire/src/link/link.ts':
      'the one place that touches a socket: reading, writing and closing share its state',
    'packages/testkit/src/gate-contract.ts': 'a list of cases, read one by one',
    'packages/testkit/src/connection-contract.ts': 'a list of cases, read one by one',
  }

  it('are no longer than 400 lines, or say here why', () => {
    const long = sources.filter((file) => text(file).split('\n').length - 1 > 400 && longer[file] === undefined)
    expect(long).to.deep.equal([])
  })

  it('are named for what they define', () => {
    const vague = /^(utils?|helpers?|types|common|manager|misc|shared)\.|-(utils?|helpers?|manager)\b/
    expect(typescript.filter((file) => vague.test(basename(file)))).to.deep.equal([])
    const kebab = /^[a-z0-9]+(-[a-z0-9]+)*(\.test)?(\.d)?\.ts$/
    expect(typescript.filter((file) => !kebab.test(basename(file)))).to.deep.equal([])
  })

  const banned: ReadonlyArray<readonly [what: string, pattern: RegExp, example: string]> = [
    ['enum', /^\s*(export\s+)?(declare\s+)?(const\s+)?enum\s/m, 'export const enum A {}'],
    ['any', /(:\s*|<|\bas\s+|\|\s*|extends\s+|,\s*|=>\s*)any\b\s*([;,)>\]|={[]|$)/m, 'let a: any = 1'],
    ['default exports', /^\s*export\s+default\b|\bas\s+default\b/m, 'export default 1'],
  ]
  for (const [what, pattern, example] of banned) {
    it(`have no ${what}`, () => {
      expect(example).to.match(pattern)
      // Tests are linted for it; one of them has a variable of that name.
      const read = what === 'any' ? sources : typescript
      expect(read.filter((file) => pattern.test(code(text(file)).replace(/'[^'\n]*'/g, "''")))).to.deep.equal([])
    })
  }

  it('name no registry and no path of the machine they were made on', () => {
    const host = /https?:\/\/[^\s"'/]*(registry|npmmirror|artifactory|nexus|verdaccio|jfrog)[^\s"']*|_authToken/i
    const path = /(^|[\s"'`(=:])\/(work|root|home|Users)\/\w/m
    expect('"resolved": "https://registry.example.com/a.tgz"').to.match(host)
    expect(['a "', 'work', 'main"'].join('/')).to.match(path)
    // The rule itself names them.
    const self = 'test/architecture.test.ts'
    const broken = files.filter((file) => file !== self && (host.test(text(file)) || path.test(text(file))))
    expect(broken).to.deep.equal([])
  })

  it('of tests state facts: no title says "should"', () => {
    const should = /\b(it|describe)\(\s*(['"`])[^'"`\n]*\bshould\b/
    expect("it('should work'").to.match(should)
    const self = 'test/architecture.test.ts'
    expect(typescript.filter((file) => file !== self && should.test(text(file)))).to.deep.equal([])
  })
})
