/** A look of which a part fails, or takes its time. On a virtual clock. */
import t, { type Test } from 'tap'
import { Refusal } from '../../src/dev/aws/index.ts'
import { sleep } from '../../src/platform/index.ts'
import { observed } from './support/observed.ts'
import { aPolicy } from './support/views.ts'

/** One look, whose readings of the groups are refused with these codes first. @returns when what came, in ms. */
async function lookOnce(t: Test, { refusals, nomadMs }: { refusals: string[]; nomadMs: number }) {
  const readMs: number[] = []
  const { clock, nomad, look } = observed(t, [aPolicy()], async ({ action }, next) => {
    if (action !== 'DescribeAutoScalingGroups') return next()
    readMs.push(clock.monotonic() - begunMs)
    const code = refusals.shift()
    if (code !== undefined) throw new Refusal(code, 'by order of the test')
    return next()
  })
  const begunMs = clock.monotonic()
  nomad.before = async (call) => {
    if (call === 'listNodes') await sleep(clock, nomadMs)
  }
  const toldMs: number[] = []
  const looking = look(() => void toldMs.push(clock.monotonic() - begunMs))
  await clock.tick(9000)
  return { ...(await looking), readMs, toldMs }
}

t.test('F57: groups that could not be read are asked for again while Nomad hangs', async (t) => {
  const refusals = ['InternalFailure', 'Throttling']
  const look = await lookOnce(t, { refusals, nomadMs: 8000 })
  t.same(look.readMs, [0, 500, 3500], 'later when it was throttled')
  t.same(look.faults, [])
  t.equal(look.views.size, 1)
  t.equal(look.toldMs[0], 3500, 'and told at once')
})

t.test('F57: they are asked for once when Nomad has answered; the next look is soon', async (t) => {
  const look = await lookOnce(t, { refusals: ['InternalFailure'], nomadMs: 100 })
  t.same(look.readMs, [0])
  t.match(look.faults, [/^Auto Scaling in us-east-1: /])
  t.equal(look.views.size, 0)
})

t.test('F57: what AWS rejects is not asked for again', async (t) => {
  const look = await lookOnce(t, { refusals: ['AccessDenied'], nomadMs: 8000 })
  t.same(look.readMs, [0])
  t.match(look.faults, [/^Auto Scaling in us-east-1: /])
})
