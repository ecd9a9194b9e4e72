import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createCgroupParent } from '../../../src/build-agent/executors/docker/cgroup-parent.ts'
import { findOomCounter } from '../../../src/build-agent/process/oom.ts'

const LIMITS = { memoryBytes: 512 * 1024 ** 2, vcpu: 1.5, pids: 100 }

/** Folders in place of the kernel's own; what is mounted where is told as it tells it. */
function aMachine(t: Test, mounts: (root: string) => string[], membership: string) {
  const root = t.testdir({ proc: {}, member: {}, unified: {}, memory: {}, cpu: {}, pids: {} })
  writeFileSync(join(root, 'proc/mounts'), `${mounts(root).join('\n')}\n`)
  writeFileSync(join(root, 'member/cgroup'), `${membership}\n`)
  const read = (file: string) => readFileSync(join(root, file), 'utf8')
  return { root, proc: join(root, 'proc'), member: join(root, 'member'), read }
}

const second = (root: string) => [`cgroup2 ${root}/unified cgroup2 rw,nosuid 0 0`]
const first = (root: string) => [
  `cgroup ${root}/cpu cgroup rw,nosuid,cpu,cpuacct 0 0`,
  `cgroup ${root}/memory cgroup rw,memory 0 0`,
  `cgroup ${root}/pids cgroup rw,pids 0 0`,
]

t.test('in version 2 the group has its limits, and those above hand them down', async (t) => {
  const { root, proc, read } = aMachine(t, second, '0::/')
  const parent = await createCgroupParent('job', LIMITS, proc)
  t.equal(parent?.path, '/caravan/job')
  t.equal(read('unified/caravan/job/memory.max'), '536870912')
  t.equal(read('unified/caravan/job/cpu.max'), '150000 100000')
  t.equal(read('unified/caravan/job/pids.max'), '100')
  for (const above of ['unified', 'unified/caravan']) {
    t.equal(read(`${above}/cgroup.subtree_control`), '+memory +cpu +pids', above)
  }
  t.ok(existsSync(join(root, 'unified/caravan/job')))
})

t.test('where both versions are mounted, the first has the controllers', async (t) => {
  const both = (root: string) => [...second(root), ...first(root)]
  const { root, proc, read } = aMachine(t, both, '0::/')
  const parent = await createCgroupParent('job', LIMITS, proc)
  t.equal(parent?.path, '/caravan/job')
  t.equal(read('memory/caravan/job/memory.limit_in_bytes'), '536870912')
  t.equal(read('cpu/caravan/job/cpu.cfs_quota_us'), '150000')
  t.equal(read('cpu/caravan/job/cpu.cfs_period_us'), '100000')
  t.equal(read('pids/caravan/job/pids.max'), '100')
  t.notOk(existsSync(join(root, 'unified/caravan')))
})

t.test('without groups, or without all of them, there is none, and nothing is left', async (t) => {
  const none = aMachine(t, () => ['tmpfs /tmp tmpfs rw 0 0'], '')
  t.equal(await createCgroupParent('job', LIMITS, none.proc), null)
  const part = aMachine(t, (root) => first(root).slice(0, 2), '')
  t.equal(await createCgroupParent('job', LIMITS, part.proc), null)
  const taken = aMachine(t, second, '0::/')
  mkdirSync(join(taken.root, 'unified/caravan/job'), { recursive: true })
  t.equal(await createCgroupParent('job', LIMITS, taken.proc), null, 'it is somebody else’s')
  t.ok(existsSync(join(taken.root, 'unified/caravan/job')), 'and stays')
})

t.test('C-59: kills for want of memory are counted in both versions', async (t) => {
  const id = 'f00d'
  for (const [mounts, membership, place, file] of [
    [second, `0::/caravan/job/${id}`, 'unified', 'memory.events'],
    [first, `4:memory:/caravan/job/${id}\n0::/elsewhere`, 'memory', 'memory.oom_control'],
  ] as const) {
    const { root, proc, member } = aMachine(t, mounts, membership)
    const folder = join(root, place, 'caravan/job', id)
    mkdirSync(folder, { recursive: true })
    const count = await findOomCounter(id, proc, member)
    t.equal(await count(), null, 'nobody tells')
    writeFileSync(join(folder, file), 'oom 9\noom_kill 2\noom_group_kill 1\n')
    t.same(await count(), { count: 2, isOurs: true }, file)
    const other = await findOomCounter('another', proc, member)
    t.same(await other(), { count: 2, isOurs: false })
  }
})
