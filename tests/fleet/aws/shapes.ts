/** The shape of an XML answer: which elements stand in which, whatever their texts are. */

/** Paths such as `Response/Result/Groups/member/Name`, sorted, each once. */
export function shapeOf(xml: string): string[] {
  const paths = new Set<string>()
  const stack: string[] = []
  for (const [, end, name = '', empty] of xml.matchAll(/<(\/)?([A-Za-z][\w.-]*)[^>]*?(\/)?>/g)) {
    if (end === '/') {
      if (stack.pop() !== name) throw new Error(`</${name}> ends nothing`)
      continue
    }
    stack.push(name)
    paths.add(stack.join('/'))
    if (empty === '/') stack.pop()
  }
  if (stack.length > 0) throw new Error(`<${stack.at(-1)}> has no end`)
  return [...paths].sort()
}

/** The topmost paths that only one of two shapes has: what stands below them follows. */
export function differenceOf(left: readonly string[], right: readonly string[]) {
  return { onlyLeft: missingIn(left, right), onlyRight: missingIn(right, left) }
}

function missingIn(these: readonly string[], those: readonly string[]): string[] {
  const others = new Set(those)
  return these.filter((path) => {
    const parent = path.slice(0, path.lastIndexOf('/'))
    return !others.has(path) && (parent === '' || others.has(parent))
  })
}

/** The text of the first element of that name. */
export function textOf(xml: string, name: string): string {
  return new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1] ?? ''
}
