// Writes docs/configuration.md from the schema, so that the page can never tell of a key that does not exist.
//   node --conditions=@sluice/source scripts/configuration-page.ts
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { jsonSchema } from '@sluice/core'

interface Node {
  description?: string
  type?: string
  enum?: string[]
  properties?: Record<string, Node>
  required?: string[]
  additionalProperties?: Node | boolean
  items?: Node
  anyOf?: Node[]
  oneOf?: Node[]
  pattern?: string
}

const intro = `# Configuration

One shape for YAML, JSON and TypeScript (\`defineConfig\`). This page is written from the schema
(\`npx sluice schema\` prints it for editors); a test compares the two.

- Durations are \`250ms\`, \`2s\`, \`1m\`, \`1h\`, or \`off\`; sizes \`64KiB\`, \`10MiB\`; rates \`1KiB/s\`; ratios \`20%\`. A bare number for any of these is an
  error that names the fix.
- \`\${NAME}\` and \`\${NAME:-default}\` are taken from the environment; \`$\${\` is a literal \`\${\`.
- Relative paths are relative to the file.
- Unknown keys are errors. A key whose feature is not built yet is an unknown key.
- Which route wins: host exact, then the longest wildcard, then none; path exact, then most literal segments, then longest
  prefix, then none; then method; then number of headers; then place in the file. \`/users/*\` matches \`/users\` too.
`

/** The alternatives of a node, without the one that only lets a variable stand there. */
function alternatives(node: Node): Node[] {
  const all = node.anyOf ?? node.oneOf ?? [node]
  return all
    .filter((one) => !(one.type === 'string' && one.pattern === '\\$\\{'))
    .flatMap((one) => (one === node ? [one] : alternatives(one)))
}

function rows(path: string, node: Node, out: string[]): void {
  const shapes = alternatives(node)
  if (node.description !== undefined) out.push(`| \`${path}\` | ${node.description.replaceAll('|', '\\|')} |`)
  for (const shape of shapes) {
    for (const [key, child] of Object.entries(shape.properties ?? {})) {
      if (key !== '$schema') rows(path === '' ? key : `${path}.${key}`, child, out)
    }
    if (typeof shape.additionalProperties === 'object') rows(`${path}.NAME`, shape.additionalProperties, out)
    if (shape.items !== undefined && alternatives(shape.items).some((item) => item.properties !== undefined)) {
      rows(`${path}[]`, shape.items, out)
    }
  }
}

/** The whole page. */
export function configurationPage(): string {
  const schema = jsonSchema() as Node
  const sections = Object.entries(schema.properties ?? {}).filter(([key]) => key !== '$schema')
  let page = intro
  for (const [key, node] of sections) {
    const found: string[] = []
    rows(key, node, found)
    page += `\n## ${key}\n\n| key | what it is |\n|---|---|\n${[...new Set(found)].join('\n')}\n`
  }
  return page
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(new URL('../docs/configuration.md', import.meta.url), configurationPage())
}
