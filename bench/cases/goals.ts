import type { Result, Row } from '../result.ts'
import type { Goal } from './case.ts'

const find = (result: Result, name: string): Row | undefined => result.rows.find((row) => row.name === name)

/** CPU time of Sluice as a multiple of another candidate's. */
export function timesThatOf(name: string, atMost: number): Goal {
  return {
    text: `sluice ≤ ${atMost} × ${name}`,
    value: (result) => quotient(find(result, 'sluice')?.median?.cpu?.total, find(result, name)?.median?.cpu?.total),
    atMost,
  }
}

/** CPU time of the best Node peer as a multiple of Sluice's. */
export function betterThanNode(atLeast: number): Goal {
  return {
    text: `sluice ≥ ${atLeast} × better than the best Node peer`,
    value: (result) => quotient(result.bestNodePeer?.cpu, find(result, 'sluice')?.median?.cpu?.total),
    atLeast,
  }
}

/** The median latency that Sluice adds, as a share of the median without a proxy. */
export function addsAtMost(share: number): Goal {
  return {
    text: `sluice adds ≤ ${share * 100} % of the backend's median`,
    value: (result) =>
      quotient(find(result, 'sluice')?.median?.added?.p50, find(result, 'direct')?.median?.latency.p50),
    atMost: share,
  }
}

function quotient(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined || b === 0 ? undefined : a / b
}
