import type { Probe } from '@sluice/core'
import { type ConnectTls, connectLink, type Link } from '@sluice/wire'

/** Connects, with TLS where the endpoint has it, and closes. */
export const tcpProbe: Probe = (endpoint, _options, done) => {
  const address = endpoint.addresses[endpoint.preferredAddress]
  if (address === undefined) {
    done('its name does not resolve')
    return () => {}
  }
  let waiting = true
  const end = (link: Link, failure: string | undefined) => {
    link.destroy()
    if (!waiting) return
    waiting = false
    done(failure)
  }
  const link: Link = connectLink(
    address,
    {
      onConnect: () => end(link, undefined),
      onClose: (error) => end(link, error?.message ?? 'it closed the connection'),
      onFault: (fault) => end(link, String(fault)),
      onBytes() {},
      onEnd() {},
      onCongested() {},
      onDrain() {},
    },
    endpoint.tls as ConnectTls | undefined,
  )
  return () => {
    waiting = false
    link.destroy()
  }
}
