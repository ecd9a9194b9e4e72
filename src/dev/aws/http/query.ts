/** AWS's query protocols: a form whose names are paths, such as `Filters.member.1.Values.member.2`. */

/** Deeper than any parameter of the API; a hostile name must not build towers. */
const DEPTH_MAX = 12
const INDEX_MAX = 10_000

type Node = Map<string, Node> | string

/**
 * Builds the values that the names describe: `member` steps vanish, numbered steps become lists.
 *
 * @returns null when the names contradict one another.
 */
export function parseQuery(form: URLSearchParams): Record<string, unknown> | null {
  const root = new Map<string, Node>()
  for (const [name, value] of form) {
    const path = name.split('.').filter((step) => step !== 'member')
    if (path.length > DEPTH_MAX || !insert(root, path, value)) return null
  }
  const built = build(root)
  return isRecord(built) ? built : null
}

function insert(root: Map<string, Node>, path: readonly string[], value: string): boolean {
  let node = root
  for (const step of path.slice(0, -1)) {
    const next = node.get(step) ?? new Map<string, Node>()
    if (typeof next === 'string') return false
    node.set(step, next)
    node = next
  }
  const last = path.at(-1) ?? ''
  if (node.has(last)) return false
  node.set(last, value)
  return true
}

function build(node: Node): unknown {
  if (typeof node === 'string') return node
  const entries = [...node]
  const isList = entries.length > 0 && entries.every(([key]) => /^[1-9]\d{0,4}$/.test(key))
  if (isList && entries.every(([key]) => Number(key) <= INDEX_MAX)) {
    return entries.sort(([a], [b]) => Number(a) - Number(b)).map(([, child]) => build(child))
  }
  return Object.fromEntries(entries.map(([key, child]) => [key, build(child)]))
}

/** EC2 names its lists in the singular on the wire. */
const EC2_LISTS: Readonly<Record<string, string>> = {
  InstanceId: 'InstanceIds',
  ResourceId: 'Resources',
  Filter: 'Filters',
  Tag: 'Tags',
  Value: 'Values',
  LaunchTemplateVersion: 'Versions',
  LaunchTemplateId: 'LaunchTemplateIds',
  LaunchTemplateName: 'LaunchTemplateNames',
}

/** The same parameters under the names of the SDK. */
export function renameEc2(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(renameEc2)
  if (!isRecord(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, child]) => {
      const name = Array.isArray(child) ? (EC2_LISTS[key] ?? key) : key
      return [name, renameEc2(child)]
    }),
  )
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
