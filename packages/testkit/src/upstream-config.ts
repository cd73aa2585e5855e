import {
  type ConfigInput,
  type EndpointTls,
  formatConfigErrors,
  parseConfigObject,
  type Runtime,
  Upstream,
  type UpstreamConfig,
  type UpstreamParts,
} from '@sluice/core'

/** An entry of `upstreams`, as users write it. */
export type UpstreamInput = NonNullable<ConfigInput['upstreams']>[string]

/** The configuration of one upstream named `u`, checked and with every default. Throws what users would read. */
export function upstreamConfig(upstream: UpstreamInput): UpstreamConfig {
  const result = parseConfigObject({
    listeners: { web: { bind: '127.0.0.1:0', protocol: 'http', upstream: 'u' } },
    upstreams: { u: upstream },
  })
  if (result.errors !== undefined) throw new Error(formatConfigErrors(result.errors))
  return result.config.upstreams[0]!
}

/** An upstream of that configuration that takes work. */
export function startUpstream(
  config: UpstreamConfig,
  runtime: Runtime,
  { tls = () => undefined, ...parts }: UpstreamParts & { tls?: EndpointTls } = {},
): Upstream {
  const upstream = new Upstream(config, runtime, parts)
  upstream.prepare(config, tls).commit()
  upstream.start()
  return upstream
}
