/** What befalls Nomad's nodes while their machines live on, and what operators do to them. */
import type { NomadNode } from '../../../../src/nomad/index.ts'
import { inWords, type Move, type Scene } from '../scene.ts'

/** A call to AWS that was begun before, on a slow day. */
const UNDER_WAY_MS = 20_000

function aNode(scene: Scene, fits: (node: NomadNode) => boolean = () => true) {
  const nodes = [...scene.cluster.nomad.nodes.values()].filter(
    (node) => node.Status === 'ready' && fits(node),
  )
  return nodes.length === 0 ? undefined : scene.dice.pick(nodes)
}

export const NODE_MOVES: readonly Move[] = [
  {
    name: 'a node is taken out, or given back',
    strike(scene) {
      const node = aNode(scene)
      if (node === undefined) return null
      const isOut = node.SchedulingEligibility === 'eligible'
      if (isOut) {
        node.SchedulingEligibility = 'ineligible'
        scene.takenOut.add(node.ID)
      } else {
        scene.cluster.nomad.giveBack(node)
        scene.takenOut.delete(node.ID)
        scene.cluster.watch.excuse(node.Name, UNDER_WAY_MS)
      }
      return `a person ${isOut ? 'takes out' : 'gives back'} the node of ${node.Name}`
    },
  },
  {
    name: 'a node is cut off',
    strike(scene) {
      const node = aNode(scene)
      if (node === undefined) return null
      const { nomad } = scene.cluster
      const ms = scene.seconds(5, 300)
      nomad.disconnect(node.ID)
      scene.later(ms, `the node of ${node.Name} is back`, () => nomad.reconnect(node.ID))
      return `the node of ${node.Name} is cut off for ${inWords(ms)}`
    },
  },
  {
    name: 'a node goes down and comes back',
    strike(scene) {
      const node = aNode(scene)
      if (node === undefined) return null
      const { nomad, queue } = scene.cluster
      const ms = scene.seconds(5, 300)
      // Nomad gives up what ran there: it begins elsewhere, whatever the machine does.
      queue.lose(node.ID)
      nomad.lose(node.ID)
      scene.later(ms, `the node of ${node.Name} is ready again, if it lives`, () => {
        if (isRunning(scene, node) && nomad.nodes.has(node.ID)) node.Status = 'ready'
      })
      return `the node of ${node.Name} is down for ${inWords(ms)}`
    },
  },
  {
    name: 'a client starts anew',
    strike(scene) {
      const node = aNode(scene)
      if (node === undefined) return null
      const ms = scene.seconds(2, 20)
      node.Status = 'initializing'
      scene.later(ms, `the client of ${node.Name} runs`, () => {
        if (node.Status === 'initializing') node.Status = 'ready'
      })
      return `the client of ${node.Name} starts anew, for ${inWords(ms)}`
    },
  },
]

function isRunning(scene: Scene, { Name }: NomadNode): boolean {
  return scene.cluster.aws.world.machines.get(Name)?.state.value === 'running'
}
