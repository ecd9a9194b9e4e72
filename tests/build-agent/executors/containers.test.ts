import t from 'tap'
import { JobContainers } from '../../../src/build-agent/executors/docker/job-containers.ts'
import { CaravanError } from '../../../src/model/index.ts'
import { createLog, systemClock } from '../../../src/platform/index.ts'

/** What is asked of an engine that refuses the first tries for each thing. */
function refusing(tries: number) {
  const asked: string[] = []
  const lines: string[] = []
  const containers = new JobContainers({
    engine: {
      async remove({ kind, id }) {
        asked.push(`${kind} ${id}`)
        const before = asked.filter((each) => each === `${kind} ${id}`).length
        if (before <= tries) throw new CaravanError('DOCKER_FAILED', 'has active endpoints')
      },
    },
    clock: systemClock,
    log: createLog((_, message) => lines.push(message), 'warn'),
  })
  containers.addContainer('one')
  containers.addNetwork('net')
  return { asked, lines, containers }
}

t.test('C-71: what is still in use is tried again, containers before their network', async (t) => {
  const { asked, lines, containers } = refusing(2)
  await containers.removeAll()
  const one = 'container one'
  t.strictSame(asked, [one, one, one, 'network net', 'network net', 'network net'])
  t.strictSame(lines, [])
  await containers.removeAll()
  t.equal(asked.length, 6, 'nothing is removed twice')
})

t.test('C-71: what does not go is left to the sweeper', async (t) => {
  const { asked, lines, containers } = refusing(100)
  await containers.removeAll()
  t.equal(asked.length, 10)
  t.strictSame(lines, ['a container is left to the sweeper', 'a network is left to the sweeper'])
})
