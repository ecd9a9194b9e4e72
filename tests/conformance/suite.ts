/**
 * What Caravan and its operators rely on, asked of any server that speaks Nomad's API.
 *
 * The same flows run against the embedded engine and against a real agent: where the two differ, one of
 * these fails.
 */
import type { Test } from 'tap'
import { allocationFlows } from './flows/allocations.ts'
import { cliFlows } from './flows/cli.ts'
import { cliOperatorFlows } from './flows/cli-operator.ts'
import { eventFlows } from './flows/events.ts'
import { jobFlows } from './flows/jobs.ts'
import { listFlows } from './flows/lists.ts'
import { logFlows } from './flows/logs.ts'
import { nodeFlows } from './flows/nodes.ts'
import { refusalFlows } from './flows/refusals.ts'
import type { Target } from './target.ts'

export async function run(t: Test, target: Target): Promise<void> {
  const groups = {
    jobs: jobFlows,
    refusals: refusalFlows,
    allocations: allocationFlows,
    lists: listFlows,
    logs: logFlows,
    events: eventFlows,
    nodes: nodeFlows,
    cli: cliFlows,
    'cli of operators': cliOperatorFlows,
  }
  for (const [name, flows] of Object.entries(groups)) {
    await t.test(`${target.name}: ${name}`, async (group) => flows(group, target))
  }
}
