/** A whole scheduler on the embedded engine, over real sockets, with faults on the way between them. */
import { Readable } from 'node:stream'
import type { Test } from 'tap'
import { startNomadEngine, type EngineOptions } from '../../../../src/dev/index.ts'
import { isResult, type BuildView, type SettingsInput } from '../../../../src/model/index.ts'
import { createNomadClient, type NomadClient } from '../../../../src/nomad/index.ts'
import { silentLog, systemClock, systemRandom, type Clock } from '../../../../src/platform/index.ts'
import type { Scheduler } from '../../../../src/scheduler/index.ts'
import { ScriptedAgent } from '../../../scheduler/support/agent.ts'
import { aFolder, startScheduler, until, untilBuild } from '../../../scheduler/support/scheduler.ts'

type Intercept = NonNullable<EngineOptions['intercept']>
export type Call = Parameters<Intercept>[0]
/** `cut` ends the connection without an answer. */
export type Reply = Awaited<ReturnType<Intercept>>

export interface WorldOptions {
  engine?: Partial<EngineOptions>
  /** Without `infrastructure_retries` there are none: what went wrong is then the result. */
  settings?: SettingsInput
  clock?: Clock
  dataDir?: string
  agentCommand?: readonly string[]
  /** Where the scheduler finds Nomad, when something stands before the engine. */
  address?: (engine: string) => Promise<string>
}

/** Tasks take an hour, longer than any test, and end when they are told to. */
const HOUR_LONG = { name: 'worker', simulate: () => ({ run_for: '1h' }) }

export async function startWorld(t: Test, options: WorldOptions = {}) {
  const clock = options.clock ?? systemClock
  const faults = new Faults()
  const common = { clock, random: systemRandom, log: silentLog }
  const engineDir = aFolder(t)
  const startEngine = (port: number) =>
    startNomadEngine({
      ...common,
      port,
      dataDir: engineDir,
      environment: {},
      nodes: [HOUR_LONG],
      intercept: faults.intercept,
      ...options.engine,
    })
  let engine = await startEngine(0)
  // Only real tasks outlive the engine; those that are played may not want to end.
  t.teardown(() => engine.close({ stopTasks: options.agentCommand !== undefined }))
  const address = (await options.address?.(engine.url)) ?? engine.url
  const nomad = createNomadClient({ ...common, address })
  t.teardown(() => nomad.close())
  const { dataDir, agentCommand } = options
  const settings = {
    ...options.settings,
    limits: { infrastructure_retries: 0, ...options.settings?.limits },
  }
  const start = (more: { dataDir?: string } = {}) =>
    startScheduler(t, {
      nomad,
      settings,
      ...(options.clock === undefined ? {} : { clock }),
      ...(dataDir === undefined ? {} : { dataDir }),
      ...(agentCommand === undefined ? {} : { agentCommand }),
      ...more,
    })
  return {
    ...(await start()),
    engine,
    nomad,
    faults,
    /** Another scheduler; on the same folder once the first one is closed. */
    startAnother: start,
    /** The engine ends, its tasks go on, and it comes back where it was. */
    async restartEngine() {
      await engine.close({ stopTasks: false })
      engine = await startEngine(engine.port)
      return engine
    },
  }
}

/** What happens to calls on their way; the newest rule that matches has its way. */
export class Faults {
  readonly #rules = new Set<{ matches: (call: Call) => boolean; run: Intercept }>()
  /** Every call, method and path with its query. */
  readonly calls: string[] = []

  readonly #streams = new Set<Readable>()

  readonly intercept: Intercept = async (call, next) => {
    this.calls.push(`${call.method} ${call.url}`)
    const rule = [...this.#rules].findLast(({ matches }) => matches(call))
    const reply = await (rule === undefined ? next() : rule.run(call, next))
    if (isStream(call) && reply !== 'cut' && reply.body instanceof Readable)
      this.#streams.add(reply.body)
    return reply
  }

  /** @returns a function that ends the fault. */
  on(matches: (call: Call) => boolean, run: Intercept): () => void {
    const rule = { matches, run }
    this.#rules.add(rule)
    return () => void this.#rules.delete(rule)
  }

  /** The answer to the calls that match, in place of their effect. */
  answer(matches: (call: Call) => boolean, status: number, text: string): () => void {
    return this.on(matches, () => Promise.resolve(anAnswer(status, text)))
  }

  /** The answers to the calls that match say something else. */
  rewrite(matches: (call: Call) => boolean, edit: (text: string) => string): () => void {
    return this.on(matches, async (_call, next) => {
      const reply = await next()
      return typeof reply.body === 'string' ? { ...reply, body: edit(reply.body) } : reply
    })
  }

  /** The event stream ends where it is, and can not be opened again. @returns what mends it. */
  cutStream(): () => void {
    const mend = this.answer(isStream, 500, 'No cluster leader')
    for (const stream of this.#streams) stream.destroy()
    this.#streams.clear()
    return mend
  }
}

export function anAnswer(status: number, text: string): Reply {
  return { status, headers: {}, body: text }
}

export const isRegistration = ({ method, url }: Call): boolean =>
  method === 'PUT' && /^\/v1\/jobs(\?|$)/.test(url)

export const isJobStop = ({ method, url }: Call): boolean =>
  method === 'DELETE' && url.startsWith('/v1/job/')

export const isStream = ({ url }: Call): boolean => url.startsWith('/v1/event/stream')

export const isOver = (build: BuildView): boolean => isResult(build.state)
export const isPlaced = ({ slices }: BuildView): boolean =>
  slices.every((slice) => slice.allocation_id !== null)

/** The agent of a slice that Nomad has placed. */
export async function agentOfSlice(
  scheduler: Scheduler,
  nomad: NomadClient,
  index = 0,
  ref = '1',
): Promise<ScriptedAgent> {
  const view = await untilBuild(scheduler, ref, ({ slices }) => {
    return slices[index]?.allocation_id !== null
  })
  const slice = view.slices[index]
  const job = await nomad.readJob(slice?.nomad_job_id ?? '')
  const allocation = await nomad.readAllocation(slice?.allocation_id ?? '')
  if (job === null || allocation === null) throw new Error('Nomad does not know the slice')
  return new ScriptedAgent(scheduler.agents, job, allocation)
}

/** Every allocation of the cluster, the first one made first. */
export async function allAllocations(nomad: NomadClient) {
  const all = []
  for await (const page of nomad.listAllocations()) all.push(...page.items)
  return all.sort((a, b) => a.CreateIndex - b.CreateIndex)
}

export async function allJobs(nomad: NomadClient) {
  const all = []
  for await (const page of nomad.listJobs({ meta: true })) all.push(...page.items)
  return all
}

/** Asks until the first slice shows what is wanted of it. */
export function untilDetail(scheduler: Scheduler, wanted: RegExp, ref = '1'): Promise<BuildView> {
  return untilBuild(scheduler, ref, ({ slices }) => wanted.test(slices[0]?.detail ?? ''))
}

/** Looks again and again while the driven clock moves on in small steps. */
export function untilPassing<T>(
  clock: { tick(ms: number): Promise<void> },
  look: () => T | Promise<T>,
  what: string,
): Promise<Exclude<T, null | undefined | false>> {
  return until(async () => {
    await clock.tick(10)
    return look()
  }, what)
}
