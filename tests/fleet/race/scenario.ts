/**
 * One run of a whole cluster under everything that may go wrong, all of it from one seed: some forty minutes
 * of trouble, then calm, in which all that was begun must come to its end.
 */
import { createHash } from 'node:crypto'
import { TestClock } from '../../../src/platform/index.ts'
import { createDice, type Dice } from '../../faults/search/random.ts'
import { aCluster, type Cluster } from '../support/cluster.ts'
import { calmDown } from './calm.ts'
import { MOVES, serveOtherHook } from './moves/index.ts'
import { MINUTE, Scene, SECOND, tellStory } from './scene.ts'
import { aSetup, OTHER_HOOK } from './setup.ts'
import { Weather } from './weather.ts'

const TROUBLE_MS = 40 * MINUTE

export interface Verdict {
  seed: number
  /** Empty when all that must hold has held. */
  violations: string[]
  slices: number
  /** How often each move struck. */
  strikes: Record<string, number>
  /** The same for the same history. */
  fingerprint: string
  story: string[]
}

/** @param wantsStory whether all that happened is to be told. */
export async function runScenario(seed: number, wantsStory = false): Promise<Verdict> {
  // Not that of the cluster: what strikes must not hang on what was rolled there.
  const dice = createDice(seed ^ 0x5eed_ca1f)
  const clock = new TestClock()
  const weather = new Weather(clock, dice)
  const { cluster: options, hasOtherHook } = aSetup(seed, dice, clock, weather)
  const cluster = await aCluster(options)
  const scene = new Scene(cluster, dice, weather)
  if (wantsStory) cluster.queue.onNews = (text) => scene.tell(text)
  const trouble = new Trouble(scene)
  try {
    if (hasOtherHook) addOtherHook(scene)
    await trouble.run()
    await trouble.end()
  } catch (error) {
    cluster.watch.violate(error instanceof Error ? (error.stack ?? error.message) : String(error))
  } finally {
    await cluster.close()
  }
  return {
    seed,
    violations: cluster.violations,
    slices: trouble.slices,
    strikes: Object.fromEntries(trouble.strikes),
    fingerprint: fingerprintOf(cluster),
    story: wantsStory ? tellStory(scene) : [],
  }
}

function fingerprintOf({ events, calls }: Cluster): string {
  const hash = createHash('sha256')
  for (const { at, type } of events) hash.update(`${at} ${type}\n`)
  return hash.update(calls.join(' ')).digest('hex').slice(0, 12)
}

function addOtherHook(scene: Scene): void {
  for (const { group } of scene.cluster.policies) {
    scene.call('PutLifecycleHook', {
      AutoScalingGroupName: group,
      LifecycleHookName: OTHER_HOOK,
      LifecycleTransition: 'autoscaling:EC2_INSTANCE_TERMINATING',
      HeartbeatTimeout: 60,
      DefaultResult: 'CONTINUE',
    })
  }
  serveOtherHook(scene, OTHER_HOOK)
}

class Trouble {
  slices = 0
  readonly strikes = new Map<string, number>()
  readonly #scene: Scene
  readonly #dice: Dice
  #started = 0
  /** Whether the clocks of controllers differ. */
  readonly #skewMs: number

  constructor(scene: Scene) {
    this.#scene = scene
    this.#dice = scene.dice
    this.#skewMs = scene.dice.chance(0.5) ? 0 : scene.seconds(1, 120)
  }

  async run(): Promise<void> {
    const { cluster, weather } = this.#scene
    const dice = this.#dice
    const end = cluster.clock.monotonic() + TROUBLE_MS
    weather.rate = dice.chance(0.3) ? 0 : dice.number() * 0.15
    weather.slowMs = dice.chance(0.5) ? 0 : dice.whole(20, 2000)
    cluster.nomad.keepsEnded = false
    cluster.nomad.pageSize = dice.chance(0.5) ? Infinity : dice.whole(1, 5)
    cluster.queue.hearsLate = dice.chance(0.5)
    const latestMs = dice.chance(0.5) ? 400 : 2500
    cluster.queue.writeMs = () => dice.whole(100, latestMs)
    while (cluster.clock.monotonic() < end) {
      this.#revive()
      if (dice.chance(0.3)) this.#addSlices()
      if (dice.chance(0.35)) this.#strike()
      await cluster.pass(this.#scene.seconds(1, 30))
    }
  }

  async end(): Promise<void> {
    for (const mortal of this.#scene.controllers) mortal.diesAt = null
    this.#revive()
    await calmDown(this.#scene)
  }

  /** There is at least one controller; it comes back within seconds, as whatever starts it again does. */
  #revive(): void {
    const scene = this.#scene
    scene.controllers = scene.controllers.filter(({ isAlive }) => isAlive)
    const wanted = this.#dice.chance(0.3) ? 2 : 1
    while (scene.controllers.length < wanted) {
      this.#started += 1
      const name = `controller-${this.#started}`
      const wallMs = Math.round((this.#dice.number() - 0.5) * 2 * this.#skewMs)
      const originMs = this.#dice.whole(0, 1_000_000)
      const { mortal } = scene.cluster.start(name, { wallMs, originMs })
      scene.tell(`${name} starts, its clock off by ${wallMs} ms`)
      mortal.onDeath = () => {
        scene.tell(`${name} dies`)
        scene.cluster.clock.after(5 * SECOND, () => this.#revive())
      }
      scene.controllers.push(mortal)
    }
  }

  #addSlices(): void {
    const count = this.#dice.whole(1, 12)
    const need = this.#dice.pick(NEEDS)
    const { name } = this.#scene.pool()
    this.slices += count
    const durationMs = () => this.#dice.whole(5, 400) * SECOND
    this.#scene.cluster.queue.add(count, durationMs, need, name)
    this.#scene.tell(`${count} slices of ${need.cpuMhz} MHz for ${name}`)
  }

  #strike(): void {
    const { name, strike } = this.#dice.pick(MOVES)
    const text = strike(this.#scene)
    if (text === null) return
    this.strikes.set(name, (this.strikes.get(name) ?? 0) + 1)
    this.#scene.tell(text)
  }
}

/** As the classes of the settings, agent included. */
const NEEDS = [
  { cpuMhz: 3000, memoryMiB: 4608 },
  { cpuMhz: 5000, memoryMiB: 8704 },
  { cpuMhz: 5000, memoryMiB: 16_896 },
  { cpuMhz: 8000, memoryMiB: 28_512 },
]
