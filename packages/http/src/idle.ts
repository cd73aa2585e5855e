/** How long an upstream may be silent where `timeouts.idle` is not written, in milliseconds. Default: 300_000. */
export const defaultIdleMs = 300_000
