import t from 'tap'
import { settings } from '../../src/model/index.ts'
import type { ContainerSpec } from '../../src/model/index.ts'
import { toTask } from '../../src/scheduler/plan.ts'
import { aBuild, aSpec, someTexts } from './support/rows.ts'

function taskOf(containers: ContainerSpec[]) {
  return toTask({
    build: aBuild(),
    texts: someTexts({ spec: aSpec({ executor: { kind: 'docker', containers } }) }),
    slice: { slice_index: 0 },
    settings: settings.parse({}),
    killTimeoutMs: 30_000,
    publicUrl: 'http://127.0.0.1:8080',
  })
}

t.test('the agent learns where the steps run', async (t) => {
  const containers = [{ image: 'cimg/node:22.1', environment: { A: '1' } }]
  t.strictSame(taskOf(containers).executor, { kind: 'docker', containers })
})

t.test('a password that stands in the file is masked, a reference is none', async (t) => {
  const auth = (password: string) => ({
    image: 'x',
    environment: {},
    auth: { username: 'me', password },
  })
  const task = taskOf([auth('hunter2'), auth('$TOKEN'), auth('${TOKEN}'), auth('a$TOKEN')])
  t.strictSame(task.mask, ['hunter2', 'a$TOKEN'])
})
