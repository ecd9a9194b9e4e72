import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { BUILT_IN_CLASSES, settings } from '../../src/model/index.ts'
import { parseNomadVersion } from '../../src/nomad/index.ts'
import { buildSliceJob, resourceClassOf } from '../../src/scheduler/job-builder.ts'
import { loadSliceTemplate } from '../../src/scheduler/template/index.ts'
import { aBuild, aSlice } from './support/rows.ts'

const FILE = fileURLToPath(new URL('../../nomad/jobs/build-slice.nomad.hcl', import.meta.url))
const TEXT = readFileSync(FILE, 'utf8')

async function jobOf(earlier: readonly { node_id: string | null }[], text = TEXT) {
  const build = aBuild()
  const classes = new Map(BUILT_IN_CLASSES.map((each) => [each.name, each]))
  const parts = {
    build,
    slice: aSlice(build, { epoch: earlier.length + 1 }),
    earlier,
    resourceClass: resourceClassOf('medium', classes),
    template: await loadSliceTemplate(text, FILE),
    settings: settings.parse({}),
    installId: 'i',
    agentCommand: ['caravan', 'build-agent'],
    url: 'http://127.0.0.1:8080',
    claimToken: 'secret',
    version: parseNomadVersion('2.0.5'),
  }
  const made = buildSliceJob(parts)
  t.same(buildSliceJob(parts), made, 'the same rows make the same job')
  return made
}

const avoid = (id: string) => ({
  LTarget: '${node.unique.id}',
  RTarget: id,
  Operand: '=',
  Weight: -100,
})

t.test('a first attempt has no preference of ours', async (t) => {
  const { job, shown } = await jobOf([])
  t.notOk('Affinities' in (job.TaskGroups[0] ?? {}))
  t.notOk('affinities' in shown.added)
})

t.test('later attempts would rather not run where earlier ones failed', async (t) => {
  const { job, shown } = await jobOf([{ node_id: 'b' }, { node_id: null }, { node_id: 'a' }])
  t.same(job.TaskGroups[0]?.['Affinities'], [avoid('a'), avoid('b')])
  t.same(shown.added['affinities'], [avoid('a'), avoid('b')])
  t.same((await jobOf([{ node_id: 'a' }, { node_id: 'a' }])).shown.added['affinities'], [
    avoid('a'),
  ])
})

t.test('affinities of the template stay', async (t) => {
  const own =
    'affinity {\n      attribute = "${meta.disk}"\n      value = "fast"\n    }\n    restart {'
  const { job } = await jobOf([{ node_id: 'a' }], TEXT.replace('restart {', own))
  t.match(job.TaskGroups[0]?.['Affinities'], [{ LTarget: '${meta.disk}' }, avoid('a')])
})
