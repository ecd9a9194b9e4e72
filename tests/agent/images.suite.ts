import t from 'tap'
import { runToEnd } from '../build-agent/support/agent.ts'
import { aContainerTask, SERVICE, withDocker } from './support/docker.ts'
import { startRegistry } from './support/registry.ts'

const LOGIN = 'me:correct horse'
const environment = [
  { layer: 'project', values: { REGISTRY_USER: 'me', REGISTRY_PASSWORD: 'correct horse' } },
]
const auth = { username: '$REGISTRY_USER', password: '${REGISTRY_PASSWORD}' }

await withDocker(() => {
  t.test('C-68: a registry that fails is asked again, and progress is shown', async (t) => {
    const registry = await startRegistry(t, { from: SERVICE, login: LOGIN })
    const { image } = registry
    // Docker asks twice before it gives up: with HEAD, then with GET.
    for (const status of [429, 429, 503, 503]) {
      registry.failures.push({ status, code: status === 429 ? 'TOOMANYREQUESTS' : 'UNAVAILABLE' })
    }
    const task = aContainerTask({ primary: { image, auth }, environment, steps: ['echo works'] })
    const { server } = await runToEnd(t, task)
    const told = server.output(0).toString()
    t.match(told, /: pulling\n.*toomanyrequests.*; trying again in .* s\n/is)
    t.match(told, /503 Service Unavailable.*; trying again in/i)
    t.match(told, /: pulled in \d+\.\d s\n/)
    t.equal(server.output(1).toString(), 'works\n')
    t.match(server.sliceFinished, { result: 'succeeded' })
  })

  t.test(
    'C-68: what no repetition mends fails at once, in the words of the registry',
    async (t) => {
      const registry = await startRegistry(t, { from: SERVICE, login: LOGIN })
      const missing = `${registry.image}:no-such-tag`
      const absent = await runToEnd(
        t,
        aContainerTask({ primary: { image: missing, auth }, environment }),
      )
      t.match(
        absent.server.output(0).toString(),
        /no-such-tag can not be pulled: .*manifest.*unknown/,
      )
      t.match(absent.server.sliceFinished, { result: 'failed', reason: 'image_pull' })
      t.ok(registry.asked() <= 2, 'once, by one or two questions')

      const wrong = { username: 'me', password: 'wrong' }
      const refused = await runToEnd(
        t,
        aContainerTask({ primary: { image: registry.image, auth: wrong } }),
      )
      t.notMatch(refused.server.output(0).toString(), /trying again/)
      t.match(refused.server.sliceFinished, { result: 'failed', reason: 'image_pull' })

      const unset = await runToEnd(t, aContainerTask({ primary: { image: registry.image, auth } }))
      t.match(
        unset.server.output(0).toString(),
        /variable REGISTRY_USER, which the auth of .* names/,
      )
      t.match(unset.server.sliceFinished, { result: 'failed', reason: 'config_error' })
    },
  )
})
