/** Which metrics and tags a query names, read from its text alone. */

export interface Named {
  metric: string
  tags: string[]
}

/** Of Prometheus: the keys of a `by` belong to every metric of the query. */
export function readPromQl(query: string): Named[] {
  const grouped = [...query.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, keys = '']) => split(keys))
  const series = query.matchAll(/\b((?:circle|nomad)_\w+)(?:\{([^}]*)\})?/g)
  return [...series].map(([, name = '', labels = '']) => {
    const own = [...labels.matchAll(/(\w+)=/g)].map(([, key = '']) => key)
    const keys = name.endsWith('_bucket') ? grouped.filter((key) => key !== 'le') : grouped
    // A metric of failures that only says whether another one is to be believed is not grouped.
    return { metric: name, tags: query.includes(`max(${name} == 0)`) ? own : [...own, ...keys] }
  })
}

/** Of Datadog. */
export function readDatadog(query: string): Named[] {
  const series = query.matchAll(
    /\b(?:sum|max|min|avg|p\d\d):((?:circle|nomad)[\w.]+)\{([^}]*)\}(?: by \{([^}]*)\})?/g,
  )
  return [...series].map(([, metric = '', filters = '', keys = '']) => {
    const own = [...filters.matchAll(/(\w+)(?::| IN )/g)].map(([, key = '']) => key)
    return { metric, tags: [...own, ...split(keys)] }
  })
}

function split(keys: string): string[] {
  return keys
    .split(',')
    .map((key) => key.trim())
    .filter((key) => key !== '')
}
