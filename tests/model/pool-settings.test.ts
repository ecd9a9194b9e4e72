import t from 'tap'
import { settings, toResourceClasses, type SettingsInput } from '../../src/model/index.ts'

const POOL = {
  name: 'linux',
  group: 'clients',
  region: 'us-east-1',
  max: 4,
  instance: { vcpu: 16, memory: 65_536 },
}
const CLASS = { name: 'medium', vcpu: 4, memory: 8192 }

function problems(input: SettingsInput): string[] {
  const { error } = settings.safeParse(input)
  return (error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`)
}

t.test('how long a node may be idle is a duration, or left to the pool', (t) => {
  const idleOff = (idle_off?: string) =>
    settings.parse({ pool: [{ ...POOL, ...(idle_off !== undefined && { idle_off }) }] }).pool[0]
      ?.idle_off
  t.equal(idleOff(), 'auto')
  t.equal(idleOff('auto'), 'auto')
  t.equal(idleOff('10m'), 600_000)
  t.same(problems({ pool: [{ ...POOL, idle_off: 'soon' }] }), [
    'pool.0.idle_off: neither "auto" nor a duration such as "10m" or "1h30m"',
  ])
  t.end()
})

t.test('a class names one pool, or several in order of preference', (t) => {
  const pool = [POOL, { ...POOL, name: 'spot', group: 'spot' }]
  const poolsOf = (named: string | string[]) => {
    const parsed = settings.parse({ pool, class: [{ ...CLASS, pool: named }] })
    return toResourceClasses(parsed.class).get('medium')?.pools
  }
  t.same(poolsOf('linux'), ['linux'])
  t.same(poolsOf(['spot', 'linux']), ['spot', 'linux'])
  const wrong = (named: unknown) => problems({ pool, class: [{ ...CLASS, pool: named as string }] })
  t.same(wrong(['spot', 'lniux', 'spot']), [
    'class.0.pool: there is no pool "lniux"',
    'class.0.pool: names pool "spot" twice',
  ])
  t.same(wrong([]), ['class.0.pool: names no pool'])
  t.same(wrong(7), ['class.0.pool: neither the name of a pool nor a list of names'])
  t.end()
})
