import t from 'tap'
import { TestClock, silentLog, sleep, systemRandom } from '../../src/platform/index.ts'
import { startLoop } from '../../src/scheduler/loop.ts'

function aLoop(t: { teardown: (run: () => Promise<void>) => void }, turn: () => Promise<number>) {
  const clock = new TestClock()
  const loop = startLoop({ name: 'testing', turn, clock, random: systemRandom, log: silentLog })
  t.teardown(() => loop.stop())
  return { clock, loop }
}

t.test('a loop rests as long as its turn says, or until it is woken', async (t) => {
  let turns = 0
  const { clock, loop } = aLoop(t, () => Promise.resolve(++turns * 1000))
  await clock.tick(999)
  t.equal(turns, 1)
  await clock.tick(1)
  t.equal(turns, 2)
  loop.wake()
  await clock.tick(0)
  t.equal(turns, 3)
})

t.test('what wakes a loop in the middle of its turn is not lost', async (t) => {
  let turns = 0
  const { clock, loop } = aLoop(t, () => {
    turns += 1
    if (turns === 1) loop.wake()
    return Promise.resolve(60_000)
  })
  await clock.tick(0)
  t.equal(turns, 2)
})

t.test(
  'a turn that fails is tried again later, told after a while, and forgotten when it goes well',
  async (t) => {
    let turns = 0
    let isBroken = true
    const { clock, loop } = aLoop(t, async () => {
      turns += 1
      if (isBroken) throw new Error('no disk')
      return 60_000
    })
    await clock.tick(0)
    t.equal(loop.fault(), null, 'once is nothing')
    for (let turn = 0; turn < 50; turn++) loop.wake()
    await clock.tick(10)
    t.equal(turns, 1, 'waking does not shorten the wait after a failure')
    await clock.tick(10_000)
    t.equal(loop.fault(), 'testing fails: no disk')
    t.ok(turns < 12, `${turns} turns`)
    isBroken = false
    await clock.tick(30_000)
    t.equal(loop.fault(), null)
  },
)

t.test('a loop that is stopped ends its turn and begins no other', async (t) => {
  const clock = new TestClock()
  const turn = Promise.withResolvers<number>()
  let turns = 0
  const loop = startLoop({
    name: 'testing',
    turn: (signal) => {
      turns += 1
      signal.addEventListener('abort', () => turn.resolve(0))
      return turn.promise
    },
    clock,
    random: systemRandom,
    log: silentLog,
  })
  await clock.tick(0)
  t.equal(turns, 1)
  await loop.stop()
  loop.wake()
  await clock.tick(60_000)
  t.equal(turns, 1)
})

t.test('after a turn that took long the next one waits, whoever wakes the loop', async (t) => {
  const clock = new TestClock()
  let turns = 0
  const turn = async (): Promise<number> => {
    turns += 1
    await sleep(clock, 10)
    return 60_000
  }
  const common = { clock, random: systemRandom, log: silentLog }
  const loop = startLoop({ name: 'testing', turn, restPerTurn: 4, ...common })
  t.teardown(() => loop.stop())
  await clock.tick(10)
  loop.wake()
  await clock.tick(39)
  t.equal(turns, 1)
  await clock.tick(1)
  t.equal(turns, 2)
  await clock.tick(50)
})
