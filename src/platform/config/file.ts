/** The settings file: HCL blocks with literal values in them. */
import { suggest, type Problem } from '../../model/index.ts'
import { parseHcl, type HclAttribute, type HclBlock, type HclEntry, type HclValue } from '../hcl.ts'

export interface SettingsFile {
  name: string
  text: string
}

/** What the file says, in the shape of the settings. */
export interface FileSettings {
  values: Record<string, unknown>
  /** Lines of blocks and attributes by their dotted path. */
  lines: Map<string, number>
  problems: Problem[]
}

/** What is described as part of the settings, and comes with a later version. */
const NOT_YET: readonly string[] = ['objects', 'organisation']

/** Blocks of which there are several, told apart by their label, which becomes their `name`. */
const LABELLED: readonly string[] = ['class', 'pool']

/** Such blocks inside of others. */
const LABELLED_IN: Readonly<Record<string, readonly string[]>> = { pool: ['schedule'] }

/** @param known names that may stand at the top of the file. */
export async function readFile(
  file: SettingsFile,
  known: readonly string[],
): Promise<FileSettings> {
  const parsed = await parseHcl(file.text, file.name)
  if (!parsed.ok) return { values: {}, lines: new Map(), problems: parsed.problems }
  const reader = new FileReader(file.name, known)
  for (const entry of parsed.entries) reader.readTopLevel(entry)
  return reader
}

class FileReader implements FileSettings {
  readonly values: Record<string, unknown> = {}
  readonly lines = new Map<string, number>()
  readonly problems: Problem[] = []
  readonly #file: string
  readonly #known: readonly string[]

  constructor(file: string, known: readonly string[]) {
    this.#file = file
    this.#known = known
  }

  readTopLevel(entry: HclEntry): void {
    const { name, line } = entry
    if (NOT_YET.includes(name)) this.#refuse(line, name, 'is not supported yet')
    else if (!this.#known.includes(name)) {
      const near = suggest(name, [...this.#known, ...NOT_YET])
      this.#refuse(line, name, near === null ? 'is unknown' : `is unknown; did you mean ${near}?`)
    } else if (entry.kind === 'attribute') this.#readAttribute(entry, this.values, '')
    else if (LABELLED.includes(name)) this.#readLabelled(entry, this.values, '')
    else if (entry.labels.length > 0)
      this.#refuse(line, name, `takes no label; write ${name} { ... }`)
    else if (Object.hasOwn(this.values, name)) {
      this.#refuse(line, name, `is already there, on line ${this.lines.get(name)}`)
    } else {
      this.lines.set(name, line)
      this.values[name] = this.#readBody(entry, name)
    }
  }

  /** `class "medium" { ... }` becomes an entry of the list `class`. @param prefix of its path. */
  #readLabelled(block: HclBlock, into: Record<string, unknown>, prefix: string): void {
    const { name, line } = block
    const [label] = block.labels
    if (label === undefined || block.labels.length > 1) {
      this.#refuse(line, `${prefix}${name}`, `write ${name} "name" { ... }`)
      return
    }
    const list = (into[name] ??= []) as { name: string }[]
    const twin = list.findIndex((other) => other.name === label)
    if (twin >= 0) {
      const first = this.lines.get(`${prefix}${name}.${twin}`)
      this.#refuse(line, `${prefix}${name}`, `"${label}" is already there, on line ${first}`)
    }
    const path = `${prefix}${name}.${list.length}`
    this.lines.set(path, line)
    const body = this.#readBody(block, path, LABELLED_IN[name])
    const named = this.lines.get(`${path}.name`)
    if (named !== undefined) this.#refuse(named, `${prefix}${name}.${label}.name`, 'is the label')
    list.push({ ...body, name: label })
  }

  #readBody(
    block: HclBlock,
    path: string,
    labelled: readonly string[] = [],
  ): Record<string, unknown> {
    const values: Record<string, unknown> = {}
    for (const entry of block.entries) {
      const inner = `${path}.${entry.name}`
      if (entry.kind === 'attribute') this.#readAttribute(entry, values, `${path}.`)
      else if (labelled.includes(entry.name)) this.#readLabelled(entry, values, `${path}.`)
      else
        this.#refuse(entry.line, inner, `write ${entry.name} = ...; there is no block of this name`)
    }
    return values
  }

  #readAttribute(attribute: HclAttribute, into: Record<string, unknown>, prefix: string): void {
    const path = `${prefix}${attribute.name}`
    this.lines.set(path, attribute.line)
    into[attribute.name] = this.#readValue(attribute.value, path)
  }

  #readValue(value: HclValue, path: string): unknown {
    this.lines.set(path, value.line)
    if (value.kind === 'list') {
      return value.items.map((item, at) => this.#readValue(item, `${path}.${at}`))
    }
    if (value.kind === 'map') {
      const entries = value.entries.map((entry) => {
        return [entry.key, this.#readValue(entry.value, `${path}.${entry.key}`)] as const
      })
      return Object.fromEntries(entries)
    }
    // The escape for a literal ${ is no expression.
    const special = value.specials.find(({ text }) => text.length > 3)
    const embedded = value.interpolations[0] ?? special
    if (embedded === undefined) return value.value
    // The text is not shown: it may be a token whose quotes were forgotten.
    const message = 'settings are not evaluated: write a literal, a text in double quotes'
    this.#refuse(embedded.line, path, message)
    return REFUSED
  }

  #refuse(line: number, path: string, message: string): void {
    this.problems.push({ file: this.#file, line, path, message: `${path}: ${message}` })
  }
}

/** Stands for a value that was refused already, so that its type is not complained about as well. */
export const REFUSED = Symbol('refused')
