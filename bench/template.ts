/** Making the Nomad job of a slice from the template, against copying the finished job as JSON. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { createBuildId, toNomadJobId, toReservation } from '../src/model/index.ts'
import { BUILT_IN_CLASSES } from '../src/model/index.ts'
import {
  loadSliceTemplate,
  renderSlice,
  type SliceValues,
} from '../src/scheduler/template/index.ts'
import type { Bench } from './harness/bench.ts'

const FILE = fileURLToPath(new URL('../nomad/jobs/build-slice.nomad.hcl', import.meta.url))
/** Long enough to be timed, short enough to be left alone by the machine now and then. */
const RENDERS_PER_SAMPLE = 200
const ROUNDS = 50
const WARMUPS = 10

export const template: Bench = {
  name: 'template',
  against: '`JSON.parse(JSON.stringify(job))` of the job that comes out',
  reach: 'none: reported only',
  async run({ clock, interleave, note }) {
    const startMs = clock.monotonic()
    const loaded = await loadSliceTemplate(await readFile(FILE, 'utf8'), FILE)
    const loadMs = clock.monotonic() - startMs
    const { job } = renderSlice(loaded, valuesOf(0))
    note(`loaded once in ${loadMs.toFixed(0)} ms; a job has ${JSON.stringify(job).length} bytes`)
    const perCall = (call: (index: number) => unknown) => () => {
      const beganMs = clock.monotonic()
      for (let index = 0; index < RENDERS_PER_SAMPLE; index++) call(index)
      return ((clock.monotonic() - beganMs) * 1000) / RENDERS_PER_SAMPLE
    }
    const { render, copy } = await interleave(
      {
        render: perCall((index) => renderSlice(loaded, valuesOf(index))),
        copy: perCall(() => JSON.parse(JSON.stringify(job))),
      },
      { rounds: ROUNDS, warmups: WARMUPS, unit: 'µs' },
    )
    const figures = { renders_per_s: 1e6 / render.median, load_ms: loadMs }
    return { ratio: render.ratioTo(copy), missed: [], figures }
  },
}

const build = createBuildId(0, Buffer.alloc(8, 1))

function valuesOf(slice: number): Omit<SliceValues, 'spec_hash'> {
  const [small] = BUILT_IN_CLASSES
  if (small === undefined) throw new Error('there are no classes')
  const { cpuMhz, memoryMiB } = toReservation(small)
  const names = { org: 'acme', repo: 'site', number: 17, epoch: 1 }
  return {
    ...names,
    job_id: toNomadJobId({ ...names, build, index: slice }),
    priority: 50,
    datacenters: ['*'],
    node_class: small.nodeClass,
    cpu: cpuMhz,
    memory: memoryMiB,
    agent_command: '/usr/local/bin/caravan',
    agent_args: ['build-agent'],
    url: 'https://ci.example.org',
    install: 'example',
    branch: 'main',
    sha: '0'.repeat(40),
    build,
    job: 'test',
    slice,
    parallelism: RENDERS_PER_SAMPLE,
    resource_class: small.name,
  }
}
