import fc from 'fast-check'
import t from 'tap'
import { demandAnswer, demandEvent, type DemandEvent } from '../../src/model/index.ts'
import { systemClock } from '../../src/platform/index.ts'
import { predict } from '../../src/scheduler/demand/quantiles.ts'
import { createRunTimes } from '../../src/scheduler/demand/run-times.ts'
import { insertBuild, insertSlices } from '../../src/scheduler/store/index.ts'
import { open, sqliteBackend } from '../store/backend.ts'
import { agentOf, unwrap } from './support/agent.ts'
import { NOW_MS, aBuild, aSlice, someTexts } from './support/rows.ts'
import { aRequest, startScheduler, until, untilBuild } from './support/scheduler.ts'

t.test('what waits and what runs is told by class, with ages and nodes', async (t) => {
  const { scheduler, cluster } = await startScheduler(t)
  const nothing = demandAnswer.parse(await scheduler.demand.read({ slices: true }))
  t.strictSame(nothing.slices, [])
  t.match(
    nothing.classes.map((each) => [each.resource_class, each.waiting, each.running]),
    [
      ['small', 0, 0],
      ['medium', 0, 0],
      ['large', 0, 0],
      ['massive', 0, 0],
    ],
  )
  await scheduler.submit(aRequest())
  const agent = await agentOf(cluster, scheduler)
  await agent.begin()
  await scheduler.submit(aRequest({ priority: 70 }))
  const demand = await until(async () => {
    const seen = demandAnswer.parse(await scheduler.demand.read({ slices: true }))
    return seen.slices.length === 2 && seen
  }, 'both slices')
  const [running, other] = demand.slices
  t.match(running, { state: 'running', resource_class: 'medium', priority: 50, predicted: null })
  t.type(running?.node_id, 'string')
  t.match(other, { priority: 70, predicted: null })
  t.not(other?.state, 'running')
  t.ok(demand.slices.every(({ age_seconds }) => age_seconds >= 0 && age_seconds < 60))
  const medium = demand.classes.find((each) => each.resource_class === 'medium')
  t.match(medium, {
    running: 1,
    node_class: 'linux-64bit',
    pool: null,
    reservation: { cpu_mhz: 5000, memory_mib: 8704 },
  })
  t.equal((medium?.waiting ?? 0) + (medium?.placing ?? 0), 1)
  t.match(await scheduler.demand.read({ slices: false }), { slices: [], omitted: 0 })
})

t.test('the stream opens with everything and tells each change, to the end', async (t) => {
  const { scheduler, cluster } = await startScheduler(t)
  const abort = new AbortController()
  const events: DemandEvent[] = []
  const states = () =>
    events.flatMap((event) =>
      event.type === 'changes' ? event.slices.map(({ state }) => state) : [],
    )
  const reading = (async () => {
    for await (const event of scheduler.demand.follow(abort.signal)) {
      events.push(demandEvent.parse(event))
    }
  })()
  await until(() => events[0]?.type === 'demand', 'the first event')
  await scheduler.submit(aRequest())
  await until(() => states().length > 0, 'the slice')
  const agent = await agentOf(cluster, scheduler)
  await agent.begin()
  await until(() => states().includes('running'), 'that it runs')
  await agent.step(0, 'hello')
  unwrap(await agent.report('succeeded'))
  await untilBuild(scheduler, '1', ({ state }) => state === 'succeeded')
  await until(
    () => events.some((event) => event.type === 'changes' && event.gone.length === 1),
    'its end',
  )
  const quiet = events.length
  abort.abort()
  await reading
  t.equal(events.length, quiet, 'an abort ends it without another word')
  // The next build of the job is told with what the first one took.
  await scheduler.submit(aRequest())
  const again = await scheduler.demand.read({ slices: true })
  t.match(again.slices, [{ predicted: { samples: 1 } }])
})

t.test(
  'earlier builds of the job say how long it takes, on whatever branch they ran',
  async (t) => {
    const store = await open(t, await sqliteBackend().fresh(t))
    await store.write(async (writer) => {
      for (let number = 1; number <= 10; number++) {
        const build = aBuild({
          number,
          branch: `b${number}`,
          state: 'succeeded',
          finished_ms: NOW_MS,
        })
        await insertBuild(writer, build, someTexts())
        const times = { started_ms: NOW_MS, finished_ms: NOW_MS + number * 1000 }
        await insertSlices(writer, [aSlice(build, { state: 'succeeded', ...times })])
      }
    })
    const job = { org: 'acme', repo: 'site', job: 'test' }
    const runTimes = createRunTimes(store.read)
    t.equal(runTimes.of(job), undefined)
    await runTimes.load([job, { ...job, job: 'other' }])
    t.strictSame(predict(runTimes.of(job) ?? [], 0), { p50: 5, p80: 8, p95: 10, samples: 10 })
    t.strictSame(predict(runTimes.of(job) ?? [], 6000), { p50: 2, p80: 4, p95: 4, samples: 4 })
    t.equal(predict(runTimes.of({ ...job, job: 'other' }) ?? [], 0), null)
    const build = aBuild()
    const before = aSlice(build, { state: 'running', started_ms: NOW_MS })
    const after = { ...before, state: 'succeeded' as const, finished_ms: NOW_MS + 20_000 }
    runTimes.note(job, { before, after })
    runTimes.note(job, { before, after: { ...after, state: 'canceled' } })
    runTimes.note(job, { before: after, after })
    t.equal(
      predict(runTimes.of(job) ?? [], 0)?.samples,
      11,
      'each end counts once, a cancel not at all',
    )
  },
)

t.test('a prediction lies among the times that were seen, and never behind the age', (t) => {
  const times = fc.array(fc.integer({ min: 0, max: 1_000_000 }), { maxLength: 50 })
  const property = fc.property(times, fc.integer({ min: 0, max: 1_200_000 }), (given, ageMs) => {
    const sorted = given.toSorted((a, b) => a - b)
    const longer = sorted.filter((each) => ageMs === 0 || each > ageMs)
    const found = predict(sorted, ageMs)
    if (longer.length === 0) return found === null
    if (found === null) return false
    const all = [found.p50, found.p80, found.p95].map((seconds) =>
      Math.round(seconds * 1000 + ageMs),
    )
    return (
      found.samples === longer.length &&
      all.every((each) => longer.includes(each)) &&
      found.p50 <= found.p80 &&
      found.p80 <= found.p95
    )
  })
  fc.assert(property)
  t.end()
})

t.test('ten thousand slices are told in a moment', async (t) => {
  const { scheduler } = await startScheduler(t)
  for (let number = 0; number < 10; number++)
    await scheduler.submit(aRequest({ parallelism: 1000 }))
  await scheduler.demand.read({ slices: true })
  const startMs = systemClock.monotonic()
  const { slices } = await scheduler.demand.read({ slices: true })
  t.equal(slices.length, 10_000)
  t.comment(`${Math.round(systemClock.monotonic() - startMs)} ms`)
})
