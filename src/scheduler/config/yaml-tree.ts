/** The nodes of a configuration file, and how the parser's nodes become them. */
import { isAlias, isMap, isScalar, isSeq } from 'yaml'
import type { Alias, Scalar, YAMLMap, YAMLSeq } from 'yaml'
import { shown } from './report.ts'

/** Offsets (`at`) count UTF-16 units from the start of the text; `place` makes lines of them. */
export interface YamlScalar {
  readonly kind: 'scalar'
  readonly text: string
  /** Without quotes and not a block: only such a text can mean a number, a boolean or nothing. */
  readonly plain: boolean
}

export interface YamlList {
  readonly kind: 'list'
  /** `at` is where the list names the item: at an alias, not at its anchor. */
  readonly items: readonly { readonly at: number; readonly node: YamlNode }[]
}

export interface YamlEntry {
  readonly keyAt: number
  readonly at: number
  readonly node: YamlNode
}

export interface YamlMap {
  readonly kind: 'map'
  /** Own keys first, then merged ones, which keep the places they were written at. */
  readonly entries: ReadonlyMap<string, YamlEntry>
  /** What is wrong with the map itself: a mistake only where the map is used. */
  readonly faults: readonly YamlFault[]
}

export type YamlNode = YamlScalar | YamlList | YamlMap

export interface YamlFault {
  readonly at: number
  readonly message: string
}

/** Files of people nest some 10 levels; the parser itself gives up at several hundred. */
export const YAML_DEPTH_MAX = 64

/** Merged entries in a whole file. Files of people have some hundreds; merges of merges multiply. */
export const YAML_MERGED_MAX = 100_000

/** More would only bury the first one, which is mostly the cause of the others. */
export const FAULTS_MAX = 20

export const TOO_DEEP = `nested too deeply: at most ${YAML_DEPTH_MAX} levels are read`

/** What a value is that was left out. */
export const EMPTY: YamlScalar = { kind: 'scalar', text: '', plain: true }

/** Whether the value was left out, or is written as YAML's null. */
export function isNothing(node: YamlNode): boolean {
  return node.kind === 'scalar' && node.plain && /^(?:~|null|Null|NULL)?$/.test(node.text)
}

/** @returns the entries of a map; none for anything else. For looking without judging. */
export function entriesOf(node: YamlNode | undefined): ReadonlyMap<string, YamlEntry> {
  return node?.kind === 'map' ? node.entries : new Map<string, YamlEntry>()
}

/** Stands for an anchor whose node is still being built. */
interface OpenAnchor {
  readonly kind: 'open'
}

/**
 * Builds the tree in the order of the text, so that an alias always finds a finished node and every map
 * is flattened once, however often it is merged.
 */
export class TreeBuilder {
  readonly faults: YamlFault[] = []
  readonly #anchors = new Map<string, YamlNode | OpenAnchor>()
  #mergedCount = 0

  build(node: unknown, depth: number): YamlNode {
    if (isAlias(node)) return this.#resolve(node)
    const anchor = isScalar(node) || isMap(node) || isSeq(node) ? node.anchor : undefined
    if (anchor === undefined) return this.#content(node, depth)
    const open: OpenAnchor = { kind: 'open' }
    this.#anchors.set(anchor, open)
    const built = this.#content(node, depth)
    // An anchor of the same name inside the node comes later in the text, so it stays.
    if (this.#anchors.get(anchor) === open) this.#anchors.set(anchor, built)
    return built
  }

  #content(node: unknown, depth: number): YamlNode {
    if (isScalar(node)) return toScalar(node)
    if (depth >= YAML_DEPTH_MAX) return this.#refuse(startOf(node), TOO_DEEP)
    if (isMap(node)) return this.#map(node, depth)
    if (isSeq(node)) return this.#list(node, depth)
    return EMPTY
  }

  #resolve(alias: Alias): YamlNode {
    const target = this.#anchors.get(alias.source)
    const name = shown(alias.source)
    if (target === undefined) {
      return this.#refuse(startOf(alias), `no anchor \`&${name}\` stands before this alias`)
    }
    if (target.kind === 'open') {
      return this.#refuse(startOf(alias), `the alias \`*${name}\` stands inside its own anchor`)
    }
    return target
  }

  #list(list: YAMLSeq, depth: number): YamlList {
    const items = list.items.map((item) => ({
      at: startOf(item),
      node: this.build(item, depth + 1),
    }))
    return { kind: 'list', items }
  }

  #map(map: YAMLMap, depth: number): YamlMap {
    const entries = new Map<string, YamlEntry>()
    const faults: YamlFault[] = []
    const merges: { at: number; node: YamlNode }[] = []
    for (const { key, value } of map.items) {
      const keyNode = this.build(key, depth + 1)
      const keyAt = startOf(key)
      const node = this.build(value, depth + 1)
      const at = value === null ? keyAt : startOf(value)
      if (keyNode.kind !== 'scalar') {
        addFault(faults, { at: keyAt, message: `a key must be a text, not a ${keyNode.kind}` })
      } else if (keyNode.text === '<<' && keyNode.plain) {
        merges.push({ at, node })
      } else if (entries.has(keyNode.text)) {
        const message = `the key \`${shown(keyNode.text)}\` stands twice in one map`
        addFault(faults, { at: keyAt, message })
      } else {
        entries.set(keyNode.text, { keyAt, at, node })
      }
    }
    for (const merge of merges) this.#merge(merge, { entries, faults })
    return { kind: 'map', entries, faults }
  }

  /** The first to name a key wins: the map itself, then its merges in order. */
  #merge(
    { at, node }: { at: number; node: YamlNode },
    into: { entries: Map<string, YamlEntry>; faults: YamlFault[] },
  ): void {
    const sources = node.kind === 'list' ? node.items : [{ at, node }]
    for (const source of sources) {
      const merged = source.node.kind === 'map' ? source.node : null
      this.#mergedCount += 1 + (merged?.entries.size ?? 0)
      if (this.#mergedCount > YAML_MERGED_MAX) {
        this.#refuse(at, `\`<<\` merges more than ${YAML_MERGED_MAX} keys in this file`)
        return
      }
      if (!merged) {
        addFault(into.faults, { at: source.at, message: '`<<` merges maps: this is none' })
        continue
      }
      for (const [key, entry] of merged.entries) {
        if (!into.entries.has(key)) into.entries.set(key, entry)
      }
      for (const fault of merged.faults) addFault(into.faults, fault)
    }
  }

  #refuse(at: number, message: string): YamlNode {
    addFault(this.faults, { at, message })
    return EMPTY
  }
}

function toScalar(scalar: Scalar): YamlScalar {
  const { value } = scalar
  const text = typeof value === 'string' ? value : (scalar.source ?? '')
  return { kind: 'scalar', text, plain: scalar.type === undefined || scalar.type === 'PLAIN' }
}

function startOf(node: unknown): number {
  const known = isScalar(node) || isMap(node) || isSeq(node) || isAlias(node)
  return known ? (node.range?.[0] ?? 0) : 0
}

function addFault(faults: YamlFault[], fault: YamlFault): void {
  if (faults.length < FAULTS_MAX) faults.push(fault)
}
