import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** The programs that the bench uses besides Node. */
export type ToolName = 'nginx' | 'nginx-stream' | 'haproxy' | 'wrk' | 'h2load' | 'taskset'

interface Tool {
  command: string
  debianPackage: string
  version: string[]
  /** Whether the output of the version call shows what is needed. Default: any output does. */
  suffices?: (output: string) => boolean
}

const streamModule = '/usr/lib/nginx/modules/ngx_stream_module.so'

const tools: Record<ToolName, Tool> = {
  nginx: { command: 'nginx', debianPackage: 'nginx', version: ['-V'] },
  'nginx-stream': {
    command: 'nginx',
    debianPackage: 'libnginx-mod-stream',
    version: ['-V'],
    suffices: (output) => streamIsBuiltIn(output) || readable(streamModule),
  },
  haproxy: { command: 'haproxy', debianPackage: 'haproxy', version: ['-v'] },
  wrk: { command: 'wrk', debianPackage: 'wrk', version: ['-v'] },
  h2load: { command: 'h2load', debianPackage: 'nghttp2-client', version: ['--version'] },
  taskset: { command: 'taskset', debianPackage: 'util-linux', version: ['--version'] },
}

const outputs = new Map<ToolName, string>()

/** Where a command lies. Daemons are in sbin, which an ordinary user's PATH leaves out. */
export function commandPath(command: string): string | undefined {
  const directories = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin']
  return directories.map((directory) => join(directory, command)).find(readable)
}

/** Undefined when the tool is there, else one line that names the package to install. */
export function missingTool(name: ToolName): string | undefined {
  const tool = tools[name]
  const suffices = commandPath(tool.command) !== undefined && (tool.suffices?.(versionOutput(name)) ?? true)
  return suffices ? undefined : `${name} is not installed (Debian: apt-get install ${tool.debianPackage})`
}

/** The version that the tool states, or undefined when it is not there. */
export function toolVersion(name: ToolName): string | undefined {
  if (missingTool(name) !== undefined) return undefined
  return /\d+\.\d+[\w.]*/.exec(versionOutput(name))?.[0]
}

/** The directive that loads nginx's stream module, empty where it is compiled in. */
export function loadStreamModule(): string {
  return streamIsBuiltIn(versionOutput('nginx')) ? '' : `load_module ${streamModule};`
}

function versionOutput(name: ToolName): string {
  const known = outputs.get(name)
  if (known !== undefined) return known
  const tool = tools[name]
  const path = commandPath(tool.command)
  const result = path === undefined ? undefined : spawnSync(path, tool.version, { encoding: 'utf8' })
  const output = `${result?.stdout ?? ''}${result?.stderr ?? ''}`
  outputs.set(name, output)
  return output
}

function streamIsBuiltIn(output: string): boolean {
  return /--with-stream(\s|$)/.test(output)
}

function readable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK)
    return true
  } catch {
    return false
  }
}
