import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A certificate with its key: files, and what is in them. */
export interface Certificate {
  readonly certFile: string
  readonly keyFile: string
  readonly cert: string
  readonly key: string
}

/** An authority for tests alone, with its certificates as files in a directory that is removed at the end. */
export class Authority {
  readonly ca = ca
  readonly dir = mkdtempSync(join(tmpdir(), 'sluice-ca-'))
  readonly caFile = this.#write('ca.pem', ca)

  /** The certificate for `localhost` and 127.0.0.1, the one for `right.example`, or the one for `wrong.example`. */
  issue(name: keyof typeof issued): Certificate {
    const { cert, key } = issued[name]
    return { cert, key, certFile: this.#write(`${name}.pem`, cert), keyFile: this.#write(`${name}.key`, key) }
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true })
  }

  #write(name: string, pem: string): string {
    const file = join(this.dir, name)
    writeFileSync(file, pem)
    return file
  }
}

// Made once, valid from 2020 to 2126, so that the suite needs no program that makes certificates. The authority's key
// is gone.

const ca = `-----BEGIN CERTIFICATE-----
MIIBaDCCAQ6gAwIBAgIUR6UQxR/XHPKRqZsCgMLGNYq+bY0wCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOU2x1aWNlIHRlc3QgQ0EwIBcNMjAwMTAxMDAwMDAwWhgPMjEy
NjAxMDEwMDAwMDBaMBkxFzAVBgNVBAMMDlNsdWljZSB0ZXN0IENBMFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAEc/k/WyXpzmwnWlLzXSj/qkDG8cIOc80vmKxR+uSh
O5D1B8sHzIqifZ1zm+uM3ixneJqaK3T4A5x5OJlkaeDJfKMyMDAwDwYDVR0TAQH/
BAUwAwEB/zAdBgNVHQ4EFgQU8coVKpumtutfixiw1ItxIsMv/ckwCgYIKoZIzj0E
AwIDSAAwRQIgeW1ViJZDJqy6wSWKwPOc6tiZlFvJeA3teVfJWP98/HICIQCVUT06
7BTMom1aAAhqSWafDEyheE/vtSq2XxC8oBwBew==
-----END CERTIFICATE-----
`

const issued = {
  /** For `localhost` and 127.0.0.1. */
  listener: {
    cert: `-----BEGIN CERTIFICATE-----
MIIBjzCCATSgAwIBAgIUYp1TkdW8ttjkuY6/D9UaEiOE+JgwCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOU2x1aWNlIHRlc3QgQ0EwIBcNMjAwMTAxMDAwMDAwWhgPMjEy
NjAxMDEwMDAwMDBaMBMxETAPBgNVBAMMCGxpc3RlbmVyMFkwEwYHKoZIzj0CAQYI
KoZIzj0DAQcDQgAEauCe4+SLaONRvrP6fdjXSSvcqubmhyMcO/B6rxycJOn3ujTX
gP2gwt9/j6zjziac4RXgYArTaCIwwhV2gwwRXKNeMFwwGgYDVR0RBBMwEYIJbG9j
YWxob3N0hwR/AAABMB0GA1UdDgQWBBQ+6CTI1HbME80UCVq90Wd1ZW5hTjAfBgNV
HSMEGDAWgBTxyhUqm6a261+LGLDUi3Eiwy/9yTAKBggqhkjOPQQDAgNJADBGAiEA
zWYNUihNMTkHjI+e+YrOEUIQATje8AcxLgIxj5TFYTcCIQD6LsXXPfsoEHeN0saf
vwWaFy4lQkE604qoShCYcqkC5g==
-----END CERTIFICATE-----
`,
    key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQga6ZwYOXOY/PTprdt
qcrkiwMTTICXIR1h3M7MSwFuLwWhRANCAARq4J7j5Ito41G+s/p92NdJK9yq5uaH
Ixw78HqvHJwk6fe6NNeA/aDC33+PrOPOJpzhFeBgCtNoIjDCFXaDDBFc
-----END PRIVATE KEY-----
`,
  },
  /** For `right.example` and 127.0.0.1. */
  right: {
    cert: `-----BEGIN CERTIFICATE-----
MIIBjzCCATWgAwIBAgIUXMFhcnf/TOIk5yVHSCLYVO5T7+wwCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOU2x1aWNlIHRlc3QgQ0EwIBcNMjAwMTAxMDAwMDAwWhgPMjEy
NjAxMDEwMDAwMDBaMBAxDjAMBgNVBAMMBXJpZ2h0MFkwEwYHKoZIzj0CAQYIKoZI
zj0DAQcDQgAE7DHeiIXNweCiI0OWOoc0mu08elHIjdUpw8VJFXivr86LRusHQfDM
ljuKW6XGRQz9fsMvn67Kutj+imYFZw6+FqNiMGAwHgYDVR0RBBcwFYINcmlnaHQu
ZXhhbXBsZYcEfwAAATAdBgNVHQ4EFgQU9cPVaTO/Mfe/roOQttYqm93t+eQwHwYD
VR0jBBgwFoAU8coVKpumtutfixiw1ItxIsMv/ckwCgYIKoZIzj0EAwIDSAAwRQIh
AMxdNuoNx+rb+Yokph+QTGCfy7U5EmexWstmHFy1p8QeAiAlsyscDYAKLw/DRwMi
aH6FX/XyhKoqy/TYUQOjVKt9Vg==
-----END CERTIFICATE-----
`,
    key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQga1YJLVg1wSJaIP+c
oLw+Osb86ZvpEcBxtDP5Fh9CPdyhRANCAATsMd6Ihc3B4KIjQ5Y6hzSa7Tx6UciN
1SnDxUkVeK+vzotG6wdB8MyWO4pbpcZFDP1+wy+frsq62P6KZgVnDr4W
-----END PRIVATE KEY-----
`,
  },
  /** For `wrong.example`. */
  wrong: {
    cert: `-----BEGIN CERTIFICATE-----
MIIBijCCAS+gAwIBAgIUEoExhj43R2lzlfn1wO+0bd/Vb+gwCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOU2x1aWNlIHRlc3QgQ0EwIBcNMjAwMTAxMDAwMDAwWhgPMjEy
NjAxMDEwMDAwMDBaMBAxDjAMBgNVBAMMBXdyb25nMFkwEwYHKoZIzj0CAQYIKoZI
zj0DAQcDQgAEmkNd3EUtT+lvfr0/A2othwR9qf0BOV8XEed05zd2fUrUX4/tyMAR
frjFwbJmh0IWv+koGkbI+6W5Mh96lqQpiKNcMFowGAYDVR0RBBEwD4INd3Jvbmcu
ZXhhbXBsZTAdBgNVHQ4EFgQUYDBaAlpYYmmzv4qhb93VdqwX1vcwHwYDVR0jBBgw
FoAU8coVKpumtutfixiw1ItxIsMv/ckwCgYIKoZIzj0EAwIDSQAwRgIhAOr3LlGD
oKuj0yFqW8zlY4Azl1bFunvUh/qgwMEooB3rAiEAvT2VPJcXBRSYoyaKe3OSMX3n
hL4S+goPi/ECxvF2mSQ=
-----END CERTIFICATE-----
`,
    key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg7FXADLXMYdx+9ept
ZK6xsHBgdDM2Sahv9RUhLjxFyj+hRANCAASaQ13cRS1P6W9+vT8Dai2HBH2p/QE5
XxcR53TnN3Z9StRfj+3IwBF+uMXBsmaHQha/6SgaRsj7pbkyH3qWpCmI
-----END PRIVATE KEY-----
`,
  },
} as const
