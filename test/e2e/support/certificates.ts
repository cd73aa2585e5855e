import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A certificate with its key: files, and what is in them. */
export interface Certificate {
  readonly certFile: string
  readonly keyFile: string
  readonly cert: Buffer
  readonly key: Buffer
}

/** An authority of one's own, in a directory that is removed at the end. */
export class Authority {
  readonly dir = mkdtempSync(join(tmpdir(), 'sluice-ca-'))
  readonly caFile = join(this.dir, 'ca.pem')
  readonly ca: Buffer

  constructor() {
    this.#openssl(
      'req',
      '-x509',
      ...newKey,
      '-keyout',
      'ca.key',
      '-out',
      'ca.pem',
      '-days',
      '2',
      '-subj',
      '/CN=test CA',
    )
    this.ca = readFileSync(this.caFile)
  }

  /** A certificate for `names`, such as `DNS:localhost,IP:127.0.0.1`. */
  issue(name: string, names: string): Certificate {
    const [certFile, keyFile] = [join(this.dir, `${name}.pem`), join(this.dir, `${name}.key`)]
    writeFileSync(join(this.dir, `${name}.ext`), `subjectAltName=${names}\n`)
    this.#openssl('req', '-new', ...newKey, '-keyout', keyFile, '-out', `${name}.csr`, '-subj', `/CN=${name}`)
    const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', `${name}.ext`]
    this.#openssl('x509', '-req', '-in', `${name}.csr`, ...signed, '-out', certFile)
    return { certFile, keyFile, cert: readFileSync(certFile), key: readFileSync(keyFile) }
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true })
  }

  #openssl(...args: string[]): void {
    execFileSync('openssl', args, { cwd: this.dir, stdio: 'pipe' })
  }
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
