/**
 * Version constraints such as `>= 1.8, < 2.0` or `~> 1.6.2`.
 *
 * @see Nomad documentation, "constraint block", operands version and semver
 */

interface Version {
  numbers: number[]
  /** Text after the dash; a version with one comes before the version without. */
  preRelease: string
}

type Mode = 'lenient' | 'strict'

/**
 * @param mode `lenient` never lets a pre-release satisfy a constraint that names none; `strict` orders
 *   pre-releases as Semantic Versioning does.
 */
export function satisfiesVersion(text: string, constraints: string, mode: Mode): boolean {
  const version = parseVersion(text)
  if (version === null) return false
  return constraints.split(',').every((each) => satisfiesOne(version, each.trim(), mode))
}

/** @returns null when one of them is no version. */
export function compareSemantic(left: string, right: string): number | null {
  const a = parseVersion(left)
  const b = parseVersion(right)
  return a === null || b === null ? null : compareVersions(a, b)
}

function satisfiesOne(version: Version, constraint: string, mode: Mode): boolean {
  const match = /^(=|!=|>=|<=|>|<|~>)?\s*(\S+)$/.exec(constraint)
  const wanted = match === null ? null : parseVersion(match[2] ?? '')
  if (match === null || wanted === null) return false
  const mixesPreRelease = version.preRelease !== '' && wanted.preRelease === ''
  if (mode === 'lenient' && mixesPreRelease && match[1] !== '!=') return false
  const order = compareVersions(version, wanted)
  switch (match[1] ?? '=') {
    case '=':
      return order === 0
    case '!=':
      return order !== 0
    case '>':
      return order > 0
    case '>=':
      return order >= 0
    case '<':
      return order < 0
    case '<=':
      return order <= 0
    default:
      return order >= 0 && sharesPrefix(version, wanted)
  }
}

/** `~> 1.6.2` allows the last given number to grow, and nothing before it. */
function sharesPrefix(version: Version, wanted: Version): boolean {
  const fixed = Math.max(wanted.numbers.length - 1, 1)
  return wanted.numbers
    .slice(0, fixed)
    .every((each, index) => each === (version.numbers[index] ?? 0))
}

function parseVersion(text: string): Version | null {
  const match = /^v?(\d+(?:\.\d+)*)(?:-([0-9A-Za-z.~-]+))?(?:\+[0-9A-Za-z.~-]+)?$/.exec(text.trim())
  if (match === null) return null
  return { numbers: (match[1] ?? '').split('.').map(Number), preRelease: match[2] ?? '' }
}

function compareVersions(left: Version, right: Version): number {
  const length = Math.max(left.numbers.length, right.numbers.length)
  for (let index = 0; index < length; index++) {
    const difference = (left.numbers[index] ?? 0) - (right.numbers[index] ?? 0)
    if (difference !== 0) return difference
  }
  return comparePreRelease(left.preRelease, right.preRelease)
}

function comparePreRelease(left: string, right: string): number {
  if (left === right) return 0
  if (left === '') return 1
  if (right === '') return -1
  const [a, b] = [left.split('.'), right.split('.')]
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const order = compareIdentifier(a[index], b[index])
    if (order !== 0) return order
  }
  return 0
}

/** Fewer identifiers come first; numbers come before words. */
function compareIdentifier(left: string | undefined, right: string | undefined): number {
  if (left === right) return 0
  if (left === undefined) return -1
  if (right === undefined) return 1
  const [a, b] = [left, right].map((each) => (/^\d+$/.test(each) ? Number(each) : null))
  if (typeof a === 'number' && typeof b === 'number') return a - b
  if (typeof a === 'number') return -1
  if (typeof b === 'number') return 1
  return left < right ? -1 : 1
}
