/** One instance: a node of the embedded engine, a metadata service by script, a group by script. */
import type { Test } from 'tap'
import { runLifecycle, type LifecycleOptions } from '../../../src/fleet/lifecycle/daemon.ts'
import type { EngineOptions } from '../../../src/dev/index.ts'
import { lifecycleEvent, type LifecycleEvent } from '../../../src/model/index.ts'
import { createNomadClient } from '../../../src/nomad/index.ts'
import { createImds, silentLog, systemClock, systemRandom } from '../../../src/platform/index.ts'
import { eventually, startTestEngine } from '../../dev/nomad-engine/support.ts'
import { serve } from '../../support/serve.ts'
import { INSTANCE, ScriptedGroup } from './scripted-aws.ts'

/** What the metadata service says; `null` is 404, a number is a status alone. */
export interface Metadata {
  target: string | number | null
  spot: string | null
  /** Of EC2, to replace it. */
  rebalance: string | null
}

export async function startInstance(
  t: Test,
  options: Pick<Partial<EngineOptions>, 'intercept'> = {},
) {
  const told = await startMetadata(t)
  const { metadata } = told
  const engine = await startTestEngine(t, {
    ...options,
    nodes: [{ name: INSTANCE, attributes: { 'unique.platform.aws.instance-id': INSTANCE } }],
  })
  const nomad = createNomadClient({
    address: engine.engine.url,
    namespace: 'default',
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  })
  t.teardown(() => nomad.close())
  const group = new ScriptedGroup(() => systemClock.monotonic())
  const [node] = await engine.get<{ ID: string }[] & Record<string, unknown>>('/v1/nodes')
  const nodeId = node?.ID ?? ''
  const events: LifecycleEvent[] = []
  const daemons: { abort: AbortController; done: Promise<void> }[] = []

  const startDaemon = (more: Partial<LifecycleOptions> = {}) => {
    const imds = createImds({ endpoint: told.url, clock: systemClock })
    const abort = new AbortController()
    const deps = {
      imds,
      nomad,
      openAws: () => group,
      clock: systemClock,
      random: () => systemRandom.number(),
      log: silentLog,
      report: (event: LifecycleEvent) => void events.push(lifecycleEvent.parse(event)),
    }
    const options: LifecycleOptions = {
      region: undefined,
      hook: undefined,
      result: 'CONTINUE',
      beforeComplete: async () => undefined,
      giveUpMs: null,
      stopAtShare: null,
      pollMs: 50,
      settleMs: 300,
      ...more,
    }
    const run = async () => {
      await runLifecycle(deps, options, abort.signal)
      await imds.close()
    }
    const done = run()
    const daemon = { abort, done }
    daemons.push(daemon)
    return daemon
  }
  t.teardown(async () => {
    for (const { abort, done } of daemons) {
      abort.abort()
      await done
    }
  })
  return {
    ...engine,
    nomad,
    group,
    nodeId,
    metadata,
    imdsUrl: told.url,
    events,
    startDaemon,
    /** Waits until such an event was told. */
    until: <Type extends LifecycleEvent['type']>(type: Type) =>
      eventually(
        () =>
          events.find(
            (event): event is Extract<LifecycleEvent, { type: Type }> => event.type === type,
          ),
        type,
        30_000,
      ),
  }
}

export async function startMetadata(t: Test) {
  const metadata: Metadata = { target: 'InService', spot: null, rebalance: null }
  const url = await serve(t, (request, response) => {
    const path = request.url ?? ''
    if (request.method === 'PUT') return void response.end('token=')
    const answers: Record<string, string | number | null> = {
      'instance-id': INSTANCE,
      'placement/region': 'us-east-1',
      'autoscaling/target-lifecycle-state': metadata.target,
      'spot/instance-action': metadata.spot,
      'events/recommendations/rebalance': metadata.rebalance,
    }
    const answer = answers[path.replace('/latest/meta-data/', '')] ?? null
    if (answer === null) return void response.writeHead(404).end()
    if (typeof answer === 'number') return void response.writeHead(answer).end()
    response.end(answer)
  })
  return { metadata, url }
}
