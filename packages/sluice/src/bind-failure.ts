/** Why an address cannot be bound, in words that follow the address. */
export function bindFailure(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  switch (code) {
    case 'EADDRINUSE':
      return 'is in use: another program listens there'
    case 'EACCES':
      return 'may not be bound: ports below 1024 and some paths need rights that this user lacks'
    case 'EADDRNOTAVAIL':
      return 'is no address of this machine'
    default:
      return `cannot be bound: ${message}`
  }
}
