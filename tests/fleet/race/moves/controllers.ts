/** What befalls controllers, and their view of the world. */
import type { Mortal } from '../../support/mortal.ts'
import { inWords, MINUTE, SECOND, type Move } from '../scene.ts'

/** @param most so many of them from now. */
function killAt(
  what: string,
  most: number,
  toPoint: (one: Mortal, count: number) => { call: number } | { write: number },
): Move {
  return {
    name: `kill at a ${what}`,
    strike({ controllers: [one], dice }) {
      if (one === undefined) return null
      const when = dice.chance(0.5) ? 'before' : 'after'
      const count = dice.whole(1, most)
      one.diesAt = { ...toPoint(one, count), when }
      return `the controller will be killed ${when} its ${count}th ${what} from now`
    },
  }
}

export const CONTROLLER_MOVES: readonly Move[] = [
  {
    name: 'kill',
    strike({ controllers: [one] }) {
      one?.die()
      return one === undefined ? null : 'the controller is killed'
    },
  },
  killAt('call', 30, (one, count) => ({ call: one.calls + count })),
  killAt('write', 12, (one, count) => ({ write: one.writes + count })),
  {
    name: 'wall clocks jump',
    strike({ cluster, dice }) {
      const ms = dice.whole(-10, 10) * MINUTE
      cluster.clock.jump(ms)
      return `all wall clocks jump by ${inWords(ms)}`
    },
  },
  {
    name: 'a wall clock jumps',
    strike({ controllers, dice }) {
      if (controllers.length === 0) return null
      const ms = dice.whole(-120, 120) * SECOND
      dice.pick(controllers).jump(ms)
      return `the wall clock of a controller jumps by ${inWords(ms)}`
    },
  },
  {
    name: 'the scheduler is silent',
    strike(scene) {
      const ms = scene.seconds(10, 180)
      scene.cluster.queue.isSilent = true
      scene.later(ms, 'the scheduler answers again', () => {
        scene.cluster.queue.isSilent = false
      })
      return `the scheduler does not answer for ${inWords(ms)}`
    },
  },
  {
    name: 'Nomad is silent',
    strike(scene) {
      const ms = scene.seconds(10, 240)
      const hangs = scene.dice.chance(0.5)
      const until = scene.cluster.clock.monotonic() + ms
      scene.weather.nomad = { silentUntilMs: until, hangs }
      return `Nomad ${hangs ? 'hangs' : 'answers nothing but errors'} for ${inWords(ms)}`
    },
  },
  {
    name: 'calls go wrong',
    strike({ weather, dice }) {
      weather.rate = dice.number() * 0.3
      return `${Math.round(weather.rate * 100)} of 100 calls go wrong`
    },
  },
  {
    name: 'calls take long',
    strike({ weather, dice }) {
      weather.slowMs = dice.chance(0.3) ? 0 : dice.whole(50, 5000)
      return `calls take up to ${weather.slowMs} ms each way`
    },
  },
]
