import { nearest } from '@sluice/core'
import yargs, { type Argv, type Options } from 'yargs'
import { StartError } from '../start-error.ts'
import { flagsOf, type OneLiner } from './one-liner.ts'
import { UsageError } from './usage-error.ts'

type Values = Readonly<Record<string, unknown>>

/** One command: what `--help` says and what it does. Its code is loaded when it is called. */
interface Command {
  readonly usage: string
  readonly describe: string
  readonly options: Readonly<Record<string, Options>>
  readonly positional: ReadonlyArray<readonly [name: string, describe: string]>
  readonly examples: ReadonlyArray<readonly [line: string, what: string]>
  readonly run: (values: Values) => Promise<0 | 1> | 0
}

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)
const texts = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : [])
const file = ['FILE', 'The configuration, YAML or JSON. Default: sluice.yaml'] as const

const commands: Readonly<Record<string, Command>> = {
  run: {
    usage: 'run [FILE]',
    describe: 'Run a configuration',
    options: {
      watch: { type: 'boolean', default: false, describe: 'Reload the file when it, or a certificate in it, changes' },
      threads: {
        type: 'string',
        requiresArg: true,
        describe: 'Data-plane threads, whatever the file says: a number, or auto for one a core',
      },
    },
    positional: [file],
    examples: [
      ['$0 run', 'runs ./sluice.yaml'],
      [
        '$0 run /etc/sluice.yaml --watch',
        'SIGTERM and SIGINT drain, the second one stops at once; SIGHUP reloads, SIGUSR2 reopens the log',
      ],
    ],
    run: async (values) => {
      const { run } = await import('./run.ts')
      return run(text(values['FILE']), { watch: values['watch'] === true, threads: text(values['threads']) })
    },
  },
  check: {
    usage: 'check [FILE]',
    describe: 'Tell everything that is wrong with a configuration',
    options: {},
    positional: [file],
    examples: [['$0 check sluice.yaml', 'exits with 2 when there is a mistake']],
    run: async (values) => (await import('./check.ts')).check(text(values['FILE'])),
  },
  explain: {
    usage: 'explain <words..>',
    describe: 'Tell what a request would meet, without sending it',
    options: {
      method: { type: 'string', default: 'GET', requiresArg: true, describe: 'Its method; a call of gRPC is a POST' },
      header: {
        type: 'string',
        array: true,
        default: [],
        requiresArg: true,
        describe: 'A header field, `Name: value`',
      },
    },
    positional: [['words', '[FILE] URL: the configuration (default: sluice.yaml), and the request']],
    examples: [
      ['$0 explain http://api.example.com:8080/users/7', 'which listener, route, gates and upstream'],
      ['$0 explain grpc://localhost:50050/shop.v1.Orders/Place', 'a call of gRPC'],
      ["$0 explain a.yaml http://h/orders/1 --method POST --header 'x-canary: 1'", 'with a method and a header field'],
    ],
    run: async (values) => {
      const words = texts(values['words'])
      if (words.length > 2) throw new UsageError(`explain takes a file and a URL, not ${words.length} words.`)
      const question = {
        url: words.at(-1)!,
        method: String(values['method']),
        headers: texts(values['header']),
      }
      return (await import('./explain.ts')).explain(words.length === 2 ? words[0] : undefined, question)
    },
  },
  http: oneLinerCommand('http', 'HTTP and WebSockets', [
    ['$0 http :8080 localhost:3000', 'everything on port 8080 goes to port 3000'],
    [
      '$0 http :8080 localhost:3000 localhost:3001 --limit 6 --queue 100 --queue-timeout 2s',
      'six at once over both, a hundred wait, two seconds at most',
    ],
  ]),
  tcp: oneLinerCommand('tcp', 'TCP connections', [
    ['$0 tcp 127.0.0.1:15432 db.internal:5432 --limit 20', 'twenty connections at once, the others wait'],
  ]),
  ws: oneLinerCommand('ws', 'WebSockets alone', [
    ['$0 ws :8081 localhost:3004 --limit 100', 'a hundred sessions at once'],
  ]),
  grpc: oneLinerCommand('grpc', 'gRPC calls', [
    ['$0 grpc :50050 localhost:50051 --limit 6', 'six calls at once, the others wait'],
    ['$0 grpc :50050 a:50051 b:50051 --health', 'an endpoint that does not serve gets no calls'],
  ]),
  backends: {
    usage: 'backends',
    describe: 'Run the test backends alone, on 3001–3012',
    options: {
      host: { type: 'string', default: '127.0.0.1', requiresArg: true, describe: 'Where they listen' },
      ports: { type: 'string', default: 'default', requiresArg: true, describe: 'default, 0 (any), or NAME=PORT,…' },
    },
    positional: [],
    examples: [['$0 backends --ports http-1=3001', 'one of them']],
    run: async (values) => {
      const { backends } = await import('./backends.ts')
      return backends({ host: String(values['host']), ports: String(values['ports']) })
    },
  },
  schema: {
    usage: 'schema',
    describe: 'Print the JSON Schema of the configuration',
    options: {},
    positional: [],
    examples: [['$0 schema > schema.json', 'for editors']],
    run: async () => (await import('./schema.ts')).schema(),
  },
}

function oneLinerCommand(name: OneLiner, what: string, examples: Command['examples']): Command {
  const options: Record<string, Options> = {}
  for (const [flag, { describe, type, bare }] of flagsOf(name)) {
    // Numbers come as text: what is none is the schema's to refuse, in its own words.
    options[flag] =
      type === 'boolean' ? { type, describe } : { type: 'string', requiresArg: bare === undefined, describe }
  }
  return {
    usage: `${name} <FROM> <TO..>`,
    describe: `Proxy ${what}, without a file`,
    options,
    positional: [
      ['FROM', 'Where to listen: host:port, :port (all addresses) or unix:/path'],
      ['TO', 'The endpoints: host:port, a URL without path, or unix:/path'],
    ],
    examples,
    run: async (values) => {
      const { oneLiner } = await import('./one-liner.ts')
      return oneLiner(name, String(values['FROM']), texts(values['TO']), values)
    },
  }
}

/** Runs the command line and resolves with the exit code. What it has to say it prints. */
export async function sluice(args: readonly string[], version: string): Promise<number> {
  try {
    return await dispatch(args, version)
  } catch (error) {
    if (error instanceof StartError) {
      console.error(error.message)
      return error.exitCode
    }
    if (error instanceof UsageError) {
      const command = args[0] !== undefined && Object.hasOwn(commands, args[0]) ? ` ${args[0]}` : ''
      console.error(`${error.message}\n\`sluice${command} --help\` tells more.`)
      return 2
    }
    throw error
  }
}

async function dispatch(args: readonly string[], version: string): Promise<number> {
  let chosen: (() => Promise<0 | 1> | 0) | undefined
  const parser = yargs([...args])
    .scriptName('sluice')
    .usage('Sluice lets through exactly as many units of work as the service behind can take.\n\nUsage: $0 COMMAND')
    .parserConfiguration({
      'camel-case-expansion': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'greedy-arrays': false,
    })
    .locale('en')
    .version(version)
    .help()
    .alias('help', 'h')
    .strict()
    .demandCommand(1, 'Which command?')
    .exitProcess(false)
    .fail(false)
    .wrap(Math.min(120, process.stdout.columns ?? 100))
  for (const command of Object.values(commands)) {
    const { usage, describe } = command
    parser.command(
      usage,
      describe,
      (builder: Argv) => declare(builder, command),
      (values) => {
        // Not here: yargs would take what the command throws for its own.
        chosen = () => command.run(values)
      },
    )
  }
  try {
    await parser.parseAsync()
  } catch (error) {
    throw new UsageError(inOurWords(error as Error, args))
  }
  return chosen === undefined ? 0 : await chosen()
}

function declare(builder: Argv, { options, positional, examples }: Command): Argv {
  for (const [name, describe] of positional) builder.positional(name, { type: 'string', describe })
  for (const [line, what] of examples) builder.example(line, what)
  return builder.options(options)
}

/** What yargs says, with the nearest command or flag for an unknown one. */
function inOurWords({ message }: Error, args: readonly string[]): string {
  const [, list] = /^Unknown (?:arguments?|commands?): (.*)$/s.exec(message) ?? []
  if (list === undefined) {
    return message === 'Which command?' ? `Which command? ${Object.keys(commands).join(', ')}` : asSentence(message)
  }
  const [first = ''] = args
  const command = Object.hasOwn(commands, first) ? commands[first] : undefined
  if (command === undefined) return unknown(`command \`${first}\``, first, Object.keys(commands), '')
  return list
    .split(', ')
    .map((word) => {
      const flag = args.some((arg) => new RegExp(`^--?${escapeRegExp(word)}(?:=|$)`).test(arg))
      if (!flag) return `\`sluice ${first}\` takes no word \`${word}\` there.`
      return unknown(`flag --${word} of \`sluice ${first}\``, word, Object.keys(command.options), '--')
    })
    .join('\n')
}

function unknown(what: string, word: string, known: readonly string[], prefix: string): string {
  const near = nearest(word, known)
  const all = known.map((name) => prefix + name).join(', ')
  const hint = near !== undefined ? ` Did you mean ${prefix}${near}?` : all === '' ? '' : ` Known are ${all}.`
  return `There is no ${what}.${hint}`
}

const asSentence = (message: string): string => `${message.trim().replace(/\n+/g, ' ').replace(/\.?$/, '.')}`

const escapeRegExp = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
