import type { Candidate } from './candidate.ts'
import { direct } from './direct.ts'
import { haproxy } from './haproxy.ts'
import { nginx, nginxLogging } from './nginx.ts'
import { nodePeers } from './node-peers.ts'
import { sluice, sluiceLogging } from './sluice.ts'

/** All candidates, in the order of the tables. */
export const candidates: readonly Candidate[] = [
  direct,
  sluice,
  sluiceLogging,
  nginx,
  nginxLogging,
  haproxy,
  ...nodePeers,
]

/** The names that `--peers` takes: everything that is not Sluice itself and not a row of `--access-log`. */
export const peerNames: readonly string[] = candidates
  .filter((candidate) => (candidate.family === 'native' || candidate.family === 'node') && candidate.logs === undefined)
  .map((candidate) => candidate.name)
