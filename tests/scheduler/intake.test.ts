import t from 'tap'
import { settings, toResourceClasses } from '../../src/model/index.ts'
import { compileRequest } from '../../src/scheduler/index.ts'

const CONFIG = `
version: 2.1
jobs:
  test:
    docker:
      - image: app
        environment: { OF_CONTAINER: '1', BOTH: container }
      - image: db
        name: database
    environment: { BOTH: job }
    steps: [run: make]
`

function compile(executor: 'configured' | 'host') {
  const request = { config: CONFIG, config_file: 'config.yml', executor }
  const defaults = settings.parse({})
  return compileRequest(request, {
    settings: defaults,
    classes: toResourceClasses(defaults.class),
  })
}

t.test('a job in containers has steps for what is made ready and for its services', async (t) => {
  const { spec, warnings } = compile('configured')
  const steps = spec.steps.map(({ kind, name }) => `${kind}: ${name}`)
  t.strictSame(steps, [
    'environment: Spin up environment',
    'service: Service database',
    'run: make',
  ])
  t.strictSame(warnings, [])
})

t.test(
  'a job in containers runs on the host where that is asked for, with a warning',
  async (t) => {
    const { spec, warnings } = compile('host')
    t.strictSame(spec.executor, { kind: 'machine' })
    t.strictSame(
      spec.steps.map(({ name }) => name),
      ['make'],
    )
    t.strictSame(spec.environment, { OF_CONTAINER: '1', BOTH: 'job' })
    t.match(warnings, [/on the host and not in the containers.*images and services are not used/])
  },
)
