/** What befalls machines, and what people do to them behind the back of their group. */
import { inWords, MINUTE, type Move, type Scene } from '../scene.ts'
import type { Disturbance } from '../../../../src/dev/aws/disturbance.ts'

/** @param act false when AWS refuses it. */
function toOne(name: string, act: (instance: string, scene: Scene) => boolean): Move {
  return {
    name,
    strike(scene) {
      const member = scene.member()
      if (member === undefined) return null
      const { id } = member.machine
      return act(id, scene) ? `${name}: ${id}` : null
    },
  }
}

function befallsOne(name: string, what: (instance: string, scene: Scene) => Disturbance): Move {
  return toOne(name, (id, scene) => scene.befall(what(id, scene)))
}

function byEc2(name: string, action: string): Move {
  return toOne(name, (id, scene) => scene.call(action, { InstanceIds: [id] }, 'ec2'))
}

export const MACHINE_MOVES: readonly Move[] = [
  befallsOne('a machine fails', (instance) => ({ do: 'machine-failure', instance })),
  befallsOne('a machine shuts itself down', (instance) => ({ do: 'self-shutdown', instance })),
  befallsOne('a spot notice', (instance) => ({ do: 'spot-notice', instance })),
  befallsOne('a rebalance recommendation', (instance) => ({
    do: 'rebalance-recommendation',
    instance,
  })),
  befallsOne('a machine will take long to end', (instance, { dice }) => {
    return { do: 'slow-shutdown', instance, for: `${dice.whole(30, 300)}s` }
  }),
  byEc2('somebody ends a machine in EC2', 'TerminateInstances'),
  byEc2('somebody stops a machine in EC2', 'StopInstances'),
  {
    name: 'launches fail',
    strike(scene) {
      const times = scene.dice.whole(1, 4)
      scene.befall({ do: 'fail-launches', times })
      return `the next ${times} launches fail`
    },
  },
  {
    name: 'a zone has no machines',
    strike(scene) {
      const group = scene.cluster.groupOf(scene.pool())
      const zone = scene.dice.pick(group.zones)
      const ms = scene.dice.whole(1, 8) * MINUTE
      scene.befall({ do: 'fail-launches', zone })
      scene.later(ms, `launches work again in ${zone}`, () => scene.befall({ do: 'mend-launches' }))
      return `${zone} has no machines for ${inWords(ms)}`
    },
  },
  {
    name: 'a machine never comes up',
    strike(scene) {
      scene.befall({ do: 'break-boots', times: 1 })
      return 'the software of the next machine never comes up'
    },
  },
]
