/** The top level of a file: its version and its jobs. Other keys are not judged before a job uses them. */
import { suggest } from '../../model/index.ts'
import { listed } from './report.ts'
import type { Report } from './report.ts'
import { describe } from './scope.ts'
import { isNothing } from './yaml-tree.ts'
import type { YamlEntry, YamlMap, YamlNode } from './yaml-tree.ts'

export const VERSIONS = ['2', '2.0', '2.1']

export interface TopLevel {
  version: string
  /** Never empty. */
  jobs: ReadonlyMap<string, YamlEntry>
  entries: ReadonlyMap<string, YamlEntry>
}

/** @returns undefined when the report has a problem. */
export function checkTopLevel(root: YamlNode, report: Report): TopLevel | undefined {
  if (root.kind !== 'map') {
    const what = isNothing(root)
      ? 'the file is empty'
      : `the file is not a map but ${describe(root)}`
    report.problem({ at: 0, path: '', what, hint: 'it needs the keys `version` and `jobs`' })
    return undefined
  }
  for (const { at, message } of root.faults) report.problem({ at, path: '', what: message })
  const version = checkVersion(root, report)
  const jobs = checkJobs(root, report)
  if (report.problems.length > 0 || !version || !jobs) return undefined
  return { version, jobs, entries: root.entries }
}

function checkVersion(root: YamlMap, report: Report): string | undefined {
  const entry = root.entries.get('version')
  if (!entry) {
    const what = 'the file has no `version`'
    report.problem({ at: 0, path: 'version', what, hint: 'add `version: 2.1`' })
    return undefined
  }
  const { node, at } = entry
  if (node.kind === 'scalar' && VERSIONS.includes(node.text)) return node.text
  report.problem({
    at,
    path: 'version',
    what: `not a version that is known: ${describe(node)}`,
    hint: `known are ${listed(VERSIONS)}`,
  })
  return undefined
}

function checkJobs(root: YamlMap, report: Report): TopLevel['jobs'] | undefined {
  const entry = root.entries.get('jobs')
  if (!entry) {
    const near = suggest('jobs', root.entries.keys())
    report.problem({
      at: 0,
      path: 'jobs',
      what: 'the file has no `jobs`',
      hint: near === null ? 'a job of an orb cannot be run yet' : `is \`${near}\` meant to be it?`,
    })
    return undefined
  }
  const { node, at } = entry
  if (node.kind !== 'map' || node.entries.size === 0) {
    const empty = node.kind === 'map' || isNothing(node)
    const what = empty ? '`jobs` holds no job' : `not a map of jobs but ${describe(node)}`
    report.problem({ at, path: 'jobs', what })
    return undefined
  }
  for (const fault of node.faults) {
    report.problem({ at: fault.at, path: 'jobs', what: fault.message })
  }
  return node.entries
}
