import type { Result, Row } from './result.ts'

interface Bar {
  name: string
  strong: boolean
  parts: number[]
  label: string
}

const width = 760
const barHeight = 20
const pitch = 30
const nameWidth = 150
const labelWidth = 150
const top = 78

// A background of its own in both themes: an SVG in a page does not know what it lies on.
const style = `
  .ground { fill: #ffffff } .title { fill: #1f2328; font-weight: 600; font-size: 15px } .text { fill: #1f2328 }
  .quiet { fill: #59636e; font-size: 11.5px } .axis { stroke: #d1d9e0 } .part0 { fill: #2a78d6 } .part1 { fill: #9cc4f4 }
  .strong .part0 { fill: #c2570c } .strong .part1 { fill: #f2b47e } .strong .text { font-weight: 600 }
  text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117 } .title, .text { fill: #e6edf3 } .quiet { fill: #9198a1 } .axis { stroke: #3d444d }
    .part0 { fill: #4493f8 } .part1 { fill: #1f4f8f } .strong .part0 { fill: #f0883e } .strong .part1 { fill: #8a4a1c }
  }`

/** A bar chart of a result as SVG: CPU time by user and system, or the latency added at p50 and p99. */
export function chart(result: Result): string {
  const bars = result.rows.filter((row) => row.median !== undefined).flatMap((row) => barOf(row, result))
  const whole = Math.max(...bars.map((bar) => sum(bar.parts)), Number.MIN_VALUE)
  const scale = (width - nameWidth - labelWidth - 32) / whole
  const height = top + bars.length * pitch + 36
  const legend =
    result.figure === 'added'
      ? ['latency added at the median', 'further, at p99']
      : [`user CPU time of the proxy per ${result.unit}`, 'system']
  const { machine, settings } = result
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escape(result.title)}">
<style>${style}
</style>
<rect class="ground" width="${width}" height="${height}" rx="6"/>
<text class="title" x="16" y="28">${escape(result.title)}</text>
<rect class="part0" x="16" y="43" width="11" height="11"/><text class="quiet" x="32" y="53">${legend[0]}</text>
<rect class="part1" x="290" y="43" width="11" height="11"/><text class="quiet" x="306" y="53">${legend[1]} (less is better)</text>
<line class="axis" x1="${nameWidth + 16}" y1="${top - 8}" x2="${nameWidth + 16}" y2="${height - 34}"/>
${bars.map((bar, at) => draw(bar, top + at * pitch, scale)).join('\n')}
<text class="quiet" x="16" y="${height - 12}">${escape(`${result.date.slice(0, 10)}, commit ${result.commit}, ${machine.cpu}, medians of ${settings.rounds} × ${settings.seconds} s`)}</text>
</svg>
`
}

function barOf(row: Row, result: Result): Bar[] {
  const { cpu, added } = row.median!
  const strong = row.family === 'sluice'
  if (result.figure === 'added') {
    if (added === undefined) return []
    // Noise can make a proxy look quicker than none.
    const p50 = Math.max(0, added.p50)
    const p99 = Math.max(0, added.p99 - p50)
    return [
      { name: row.name, strong, parts: [p50, p99], label: `${added.p50.toFixed(0)} / ${added.p99.toFixed(0)} µs` },
    ]
  }
  if (cpu === undefined) return []
  const ratio = row.timesNginx === undefined || row.name === 'nginx' ? '' : `  (${row.timesNginx.toFixed(2)} × nginx)`
  const figure = cpu.total >= 100 ? cpu.total.toFixed(0) : cpu.total.toFixed(1)
  return [{ name: row.name, strong, parts: [cpu.user, cpu.system], label: `${figure} µs${ratio}` }]
}

function draw({ name, strong, parts, label }: Bar, y: number, scale: number): string {
  let x = nameWidth + 16
  const baseline = y + barHeight / 2 + 4.5
  const rects = parts.map((value, at) => {
    const length = value * scale
    const rect = `<rect class="part${at}" x="${x.toFixed(1)}" y="${y}" width="${length.toFixed(1)}" height="${barHeight}"/>`
    x += length
    return rect
  })
  return `<g${strong ? ' class="strong"' : ''}><text class="text" x="${nameWidth + 6}" y="${baseline}" text-anchor="end">${escape(name)}</text>${rects.join('')}<text class="text" x="${(x + 8).toFixed(1)}" y="${baseline}">${escape(label)}</text></g>`
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0)
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
