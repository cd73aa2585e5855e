// Names of the protobuf language: case matters, and only ASCII is allowed.

const identifier = String.raw`[A-Za-z_]\w*`
const serviceName = new RegExp(String.raw`^${identifier}(?:\.${identifier})*$`)
const methodName = new RegExp(`^${identifier}$`)

/** Whether a text is the full name of a gRPC service, such as `shop.v1.Orders`. */
export function isServiceName(text: string): boolean {
  return serviceName.test(text)
}

/** Whether a text names a service, or as `shop.v1.*` every service below a package. */
export function isServicePattern(text: string): boolean {
  return serviceName.test(text.endsWith('.*') ? text.slice(0, -2) : text)
}

/** Whether a text names a method of a service, such as `Place`. */
export function isMethodName(text: string): boolean {
  return methodName.test(text)
}
