import t from 'tap'
import {
  BUILT_IN_CLASSES,
  settings,
  toReservation,
  toResourceClasses,
} from '../../src/model/index.ts'

t.test('nothing given is a working set of settings', (t) => {
  const value = settings.parse({})
  t.equal(value.limits.max_run_time, 5 * 3_600_000)
  t.equal(value.limits.output, 1024 ** 3)
  t.equal(value.server.listen, '127.0.0.1:8080')
  t.end()
})

t.test('a misspelt key and a bad value are refused together', (t) => {
  const result = settings.safeParse({ limits: { outptu: '1GiB', lease: 'soon' } })
  const issues = result.error?.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`)
  t.match(issues?.join('\n'), /outptu/)
  t.match(issues?.join('\n'), /limits\.lease not a duration/)
  t.end()
})

t.test('a declared class adds to the built-in ones or replaces one', (t) => {
  const declared = settings.parse({
    class: [
      { name: 'medium', vcpu: 8, memory: 1024 },
      { name: 'gpu', vcpu: 2.5, memory: 2048, node_class: 'gpu', pool: 'gpu' },
    ],
  })
  const classes = toResourceClasses(declared.class)
  t.equal(classes.size, BUILT_IN_CLASSES.length + 1)
  t.equal(classes.get('medium')?.vcpu, 8)
  t.match(classes.get('gpu'), { nodeClass: 'gpu', pools: ['gpu'], memoryMiB: 2048 })
  t.end()
})

t.test('the agent has its own cpu and memory beside what the class promises', (t) => {
  const [small] = BUILT_IN_CLASSES
  if (small === undefined) throw new Error('there is no class')
  t.same(toReservation(small), { cpuMhz: 3000, memoryMiB: 4608 })
  t.end()
})
