/** How many bytes one read may bring. */
export const readBufferBytes = 65_536

/** A read at least this long shows a bulk transfer: its link gets a slab of its own, and bytes go out uncopied. */
export const bulkBytes = 16_384

/** What a session writes to as long as it has little to say. */
const smallSlabBytes = 2_048

/** Slabs kept for the next bulk transfer, at most. Beyond it they are left to the collector. */
const maxSpareSlabs = 32

/** Small ones kept for the next turn, in which as many sessions may have something to say: 2 MiB. */
const maxSpareSmallSlabs = 1_024

/** With `SLUICE_POISON=1` lent bytes are overwritten once the callback has returned, so that a late reader fails. */
const poison = process.env['SLUICE_POISON'] === '1'

/** Memory that a socket reads into. */
export class Slab {
  readonly bytes: Buffer
  /** Queued writes that refer to these bytes. Above zero nobody may read into them. */
  loans = 0
  /** Whether a socket reads into it, or a session writes. */
  reading = false

  constructor(bytes = readBufferBytes) {
    this.bytes = Buffer.allocUnsafeSlow(bytes)
  }

  /** Gives one loan back, and with the last one the slab, unless a socket still reads into it. */
  returnLoan(): void {
    this.loans--
    this.keepIfUnused()
  }

  /** Whoever took it reads or writes into it no more; its loans may still run. */
  release(): void {
    this.reading = false
    this.keepIfUnused()
  }

  keepIfUnused(): void {
    if (this.loans > 0 || this.reading) return
    if (poison) this.bytes.fill(0xdb)
    if (this.small) {
      if (spareSmall.length < maxSpareSmallSlabs) spareSmall.push(this)
    } else if (spare.length < maxSpareSlabs) spare.push(this)
  }

  get small(): boolean {
    return this.bytes.length === smallSlabBytes
  }
}

const spare: Slab[] = []
const spareSmall: Slab[] = []

/** A slab for the caller alone, until it releases it. */
export function takeSlab(): Slab {
  const slab = spare.pop() ?? new Slab()
  slab.reading = true
  return slab
}

/** As `takeSlab`, for little. */
export function takeSmallSlab(): Slab {
  const slab = spareSmall.pop() ?? new Slab(smallSlabBytes)
  slab.reading = true
  return slab
}

/**
 * The slab that all links of this thread read into while they read little.
 *
 * It can be shared because a read and its callback are one synchronous step. Bytes of it are written on only as a
 * copy: what the kernel does not take at once stays queued by reference, and the next read of any link would
 * overwrite it.
 */
const shared = new Slab()

/** Where every socket reads to before its first read has been seen. */
export const firstReadBuffer: Buffer = shared.bytes

/**
 * Chooses the slab that one socket reads into: the shared one, or while much is coming one of its own.
 *
 * A slab of its own may be written on by reference. When the kernel did not take all of it, the slab belongs to the
 * queued write from then on (`loans` above zero), and the socket reads into another one.
 */
export class ReadBuffer {
  slab: Slab = shared

  /** Called after the callback of each read; says where the next one goes. */
  next(readBytes: number): Buffer {
    const slab = this.slab
    if (slab === shared) {
      if (poison) slab.bytes.fill(0xdb, 0, readBytes)
      if (readBytes >= bulkBytes) this.slab = takeSlab()
    } else if (readBytes < bulkBytes) {
      this.release()
    } else if (slab.loans > 0) {
      slab.reading = false
      this.slab = takeSlab()
    } else if (poison) {
      slab.bytes.fill(0xdb, 0, readBytes)
    }
    return this.slab.bytes
  }

  /** Whether `bytes` may be queued by reference: they lie in a slab that only this socket reads into. */
  owns(bytes: Uint8Array): boolean {
    return bytes === this.slab.bytes && this.slab !== shared
  }

  /** Called when nothing will be read any more. */
  release(): void {
    const slab = this.slab
    if (slab === shared) return
    this.slab = shared
    slab.release()
  }
}
