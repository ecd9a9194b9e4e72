/** Which methods a path takes, to tell a wrong method from a wrong path. */

export interface RouteTable {
  /** @param pattern as registered, such as `/api/v1/builds/:ref`. */
  add(method: string | string[], pattern: string): void
  methodsOf(path: string): string[]
}

export function createRouteTable(): RouteTable {
  const routes: { method: string; matches: RegExp }[] = []
  return {
    add(method, pattern) {
      const source = pattern.replaceAll(/[.+*?^${}()|[\]\\]/g, String.raw`\$&`)
      const matches = new RegExp(`^${source.replaceAll(/:\w+/g, '[^/]+')}$`)
      for (const each of [method].flat()) routes.push({ method: each, matches })
    },
    methodsOf(path) {
      const methods = routes.filter(({ matches }) => matches.test(path)).map((each) => each.method)
      return [...new Set(methods)].sort()
    },
  }
}
