/** Where a stream of output lies on disk. */
import { join } from 'node:path'
import { CaravanError, parseSliceKey } from '../../model/index.ts'
import type { OutputKey } from '../ports.ts'

/**
 * `<root>/<build>/<slice>/<epoch>/<step>-<attempt>.out`.
 *
 * The path is built from numbers and hex digits alone, so no key can point out of the root.
 *
 * @throws CaravanError INPUT_INVALID when the key does not name a stream.
 */
export function toOutputFile(root: string, key: OutputKey): string {
  const slice = parseSliceKey(key.slice)
  const numbered =
    isCount(key.epoch, 1) && isCount(key.step, 0) && isCount(key.attempt, 1) && slice !== null
  if (!numbered) {
    throw new CaravanError('INPUT_INVALID', 'this is not the name of an output stream', {
      detail: { ...key },
    })
  }
  return join(root, slice.build, `${slice.index}`, `${key.epoch}`, `${key.step}-${key.attempt}.out`)
}

function isCount(value: number, least: number): boolean {
  return Number.isSafeInteger(value) && value >= least
}
