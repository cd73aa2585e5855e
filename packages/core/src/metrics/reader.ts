import { type MetricsAnnouncement, type MetricsSource, type Place, readPlaces, type Series } from './block.ts'
import { familyNamed } from './families.ts'

/**
 * Another thread's block, as far as it has been announced.
 *
 * Until the announcement of a larger buffer arrives the old one is read, whose figures stand still: late, never wrong.
 */
export class MetricsReader implements MetricsSource {
  readonly #places: Place[] = []
  #values: Float64Array | undefined

  apply({ buffer, series }: MetricsAnnouncement): void {
    if (buffer !== undefined) this.#values = new Float64Array(buffer)
    for (const one of series) this.#places.push({ ...one, family: familyNamed(one.family) })
  }

  read(): Series[] {
    return this.#values === undefined ? [] : readPlaces(this.#values, this.#places)
  }
}
