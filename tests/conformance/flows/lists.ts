/** Lists, their filters and pages, and reads that wait for news. */
import type { Test } from 'tap'
import { aJob, eventually, untilStatus } from '../../dev/nomad-engine/support.ts'
import type { Json } from '../../dev/nomad-engine/support.ts'
import type { Target } from '../target.ts'

const IDS = ['cf-list-1', 'cf-list-10', 'cf-list-2', 'cf-list-3']

export async function listFlows(t: Test, target: Target): Promise<void> {
  for (const id of IDS) {
    const Meta = { org: id.endsWith('1') ? 'acme' : 'other', 'with-dash': 'x' }
    await target.register(aJob(id, 'exit 0', { job: { Meta } }))
  }
  for (const id of IDS) await untilStatus(target, id, 'complete')

  const ids = async (query: string) => {
    const rows = await target.get<Json[]>(`/v1/jobs?prefix=cf-list-&${query}`)
    return rows.map((row) => String(row['ID']).replace('cf-list-', ''))
  }

  await t.test('jobs come in the order of their ids, of one prefix', async (t) => {
    t.same(await ids(''), ['1', '10', '2', '3'])
    t.same(await ids('reverse=true'), ['3', '2', '10', '1'])
    const [stub] = await target.get<Json[]>('/v1/jobs?prefix=cf-list-2')
    t.match(stub, { Type: 'batch', Status: 'dead', JobSummary: { Summary: { slice: {} } } })
    t.notOk(stub && 'Meta' in stub)
    const [withMeta] = await target.get<Json[]>('/v1/jobs?prefix=cf-list-2&meta=true')
    t.match(withMeta, { Meta: { org: 'other' } })
    t.same(await target.get('/v1/jobs?namespace=cf-none'), [])
  })

  await t.test('filters look at the stored job', async (t) => {
    const filter = (expression: string) => ids(`filter=${encodeURIComponent(expression)}`)
    t.same(await filter('Meta.org == "acme"'), ['1'])
    t.same(await filter('Meta.org != "acme"'), ['10', '2', '3'])
    t.same(await filter('Meta["with-dash"] == "x" and ID == "cf-list-2"'), ['2'])
    t.same(await filter('ID matches "list-(2|3)$"'), ['2', '3'])
    t.same(await filter('not (ID contains "1" or ID == "cf-list-3")'), ['2'])
    t.same(await filter('ID not contains "1"'), ['2', '3'])
    t.same(await filter('"org" in Meta and "nope" not in Meta and ID == "cf-list-1"'), ['1'])
    t.same(await filter('Meta is not empty and Priority == 50 and Stop == false'), IDS.map(last))
    t.same(await filter('Meta.nope == "x"'), [])
    t.same(await filter('ParameterizedJob is not nil'), [])
    t.same(await filter('ParentID == "" and Periodic is nil'), IDS.map(last))
    const wrong = await target.fetch('/v1/jobs?filter=Nope%20==%20%22x%22')
    t.equal(wrong.status, 400)
    t.match(await wrong.text(), 'struct field with name "Nope"')
  })

  await t.test('pages follow one another without gap or repetition', async (t) => {
    for (const path of ['/v1/jobs', '/v1/allocations', '/v1/evaluations', '/v1/jobs/statuses']) {
      const whole = await target.get<{ ID: string }[]>(`${path}?per_page=1000`)
      const seen: string[] = []
      let token: string | null = ''
      while (token !== null && seen.length <= whole.length) {
        const response = await target.fetch(`${path}?per_page=7&next_token=${token}`)
        const page = (await response.json()) as { ID: string }[]
        t.ok(page.length <= 7)
        seen.push(...page.map((row) => row.ID))
        token = response.headers.get('x-nomad-nexttoken')
      }
      if (path !== '/v1/jobs/statuses')
        t.same(
          seen,
          whole.map((row) => row.ID),
          path,
        )
      else t.same([...new Set(seen)].sort(), whole.map((row) => row.ID).sort(), path)
    }
  })

  await t.test('named jobs are read with their allocations in one call', async (t) => {
    const Jobs = ['cf-list-1', 'cf-list-3', 'cf-none'].map((ID) => ({ ID, Namespace: 'default' }))
    const rows = await target.send<Json[]>('POST', '/v1/jobs/statuses', { Jobs })
    t.same(new Set(rows.map((row) => row['ID'])), new Set(['cf-list-1', 'cf-list-3']))
    t.match(rows[0], { Allocs: [{ ClientStatus: 'complete', Group: 'slice' }], GroupCountSum: 1 })
  })

  await t.test('allocations and evaluations are found by the beginning of their id', async (t) => {
    const [allocation] = await target.allocations('cf-list-1')
    const id = allocation?.ID ?? ''
    const found = await target.get<Json[]>(`/v1/allocations?prefix=${id.slice(0, 8)}`)
    t.same(
      found.map((row) => row['ID']),
      [id],
    )
    const whole = await target.get(`/v1/allocation/${id}`)
    t.match(whole, { JobID: 'cf-list-1', Job: { ID: 'cf-list-1' }, TaskStates: { main: {} } })
    const evaluation = String(whole['EvalID'])
    const same = await target.get<Json[]>(`/v1/evaluations?prefix=${evaluation.slice(0, 8)}`)
    t.same(
      same.map((row) => row['ID']),
      [evaluation],
    )
    const placed = await target.get<Json[]>(`/v1/evaluation/${evaluation}/allocations`)
    t.same(
      placed.map((row) => row['ID']),
      [id],
    )
    const matches = await target.send('PUT', '/v1/search', { Prefix: 'cf-list-', Context: 'jobs' })
    t.match(matches, { Matches: { jobs: IDS }, Truncations: { jobs: false } })
  })

  await t.test('a blocking read waits for a change, and no longer than it was told', async (t) => {
    await target.register(aJob('cf-block', 'exec sleep 60'))
    await untilStatus(target, 'cf-block', 'running')
    const indexOf = (response: Response) => Number(response.headers.get('x-nomad-index'))
    const start = await target.fetch('/v1/job/cf-block')
    const index = indexOf(start)
    t.equal(start.headers.get('x-nomad-knownleader'), 'true')
    t.equal(start.headers.get('x-nomad-lastcontact'), '0')

    const begun = performance.now()
    const quiet = await target.fetch(`/v1/job/cf-block?index=${index}&wait=200ms`)
    const waited = performance.now() - begun
    t.ok(waited >= 180, `it waited ${waited} ms`)
    t.equal(indexOf(quiet), index)

    const news = target.fetch(`/v1/job/cf-block?index=${index}&wait=20s`)
    await target.send('DELETE', '/v1/job/cf-block')
    const changed = await news
    t.ok(indexOf(changed) > index)
    t.match(await changed.json(), { Stop: true })
    const list = await target.fetch(`/v1/jobs?index=1&wait=20s`)
    t.ok(indexOf(list) > index, 'an old index is answered at once')
    await untilStatus(target, 'cf-block', 'complete')
  })

  await t.test('system gc forgets what is over', async (t) => {
    await target.send('PUT', '/v1/system/gc', {})
    await eventually(
      async () => (await target.fetch('/v1/job/cf-list-1')).status === 404,
      'the dead job to be forgotten',
    )
    t.same(await target.allocations('cf-list-1'), [])
  })
}

function last(id: string): string {
  return id.replace('cf-list-', '')
}
