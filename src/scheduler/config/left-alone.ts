/**
 * What stands in a file and a job that is run alone does not get: named in warnings.
 *
 * None of it is judged here: what the job does not touch may be wrong.
 */
import { listed, shown } from './report.ts'
import { keyPath } from './scope.ts'
import type { Scope } from './scope.ts'
import { entriesOf } from './yaml-tree.ts'
import type { YamlEntry, YamlNode } from './yaml-tree.ts'

/** Keys of a job's entry that say when it runs, not what it is given. */
const ABOUT_ORDER = new Set(['requires', 'filters', 'name', 'type', 'serial-group'])

/** Entries looked at in a file, with aliases counted each time; 53 are the most seen in public. */
const ENTRIES_MAX = 10_000

/** Parts of the language that come to nothing yet. A job that needs one of them is refused there. */
const LEFT_ALONE = ['orbs', 'parameters', 'setup', 'workflows']

export function warnOfUnused(entries: ReadonlyMap<string, YamlEntry>, { report }: Scope): void {
  const keys = LEFT_ALONE.filter((key) => entries.has(key))
  const ats = keys.map((key) => entries.get(key)?.keyAt ?? 0)
  if (keys.length === 0) return
  const what = `${listed(keys)} of the file ${keys.length === 1 ? 'is' : 'are'} left alone`
  const hint = 'the job is run alone, as it stands under `jobs`'
  report.warning({ at: Math.min(...ats), path: '', what, hint })
}

export function warnOfWorkflows(workflows: YamlNode | undefined, job: string, scope: Scope): void {
  let seen = 0
  for (const [workflow, { node }] of entriesOf(workflows)) {
    const jobs = entriesOf(node).get('jobs')
    if (jobs?.node.kind !== 'list') continue
    for (const [index, item] of jobs.node.items.entries()) {
      if (++seen > ENTRIES_MAX) return
      const entry = entriesOf(item.node).get(job)
      const given = [...entriesOf(entry?.node).keys()].filter((key) => !ABOUT_ORDER.has(key))
      if (!entry || given.length === 0) continue
      scope.report.warning({
        at: entry.keyAt,
        path: keyPath(`workflows.${shown(workflow)}.jobs[${index}]`, job),
        what: `${listed(given)} of the workflow is not applied`,
        hint: 'a job is run alone, as it stands under `jobs`',
      })
    }
  }
}
