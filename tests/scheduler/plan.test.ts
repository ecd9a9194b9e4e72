import t from 'tap'
import { settings } from '../../src/model/index.ts'
import type { ContainerSpec, SettingsInput } from '../../src/model/index.ts'
import { toTask } from '../../src/scheduler/plan.ts'
import { aBuild, aSpec, someTexts } from './support/rows.ts'

function taskOf(containers: ContainerSpec[], given: SettingsInput = {}) {
  return toTask({
    build: aBuild(),
    texts: someTexts({ spec: aSpec({ executor: { kind: 'docker', containers } }) }),
    slice: { slice_index: 0 },
    settings: settings.parse(given),
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

t.test(
  'the agent learns what its containers may use, and how they reach the network',
  async (t) => {
    const containers = [{ image: 'x', environment: {} }]
    const classes = [{ name: 'medium', vcpu: 3, memory: 5000 }]
    const proxies = { http_proxy: 'http://10.0.0.33:3128', no_proxy: ['git.example'] }
    const task = taskOf(containers, { class: classes, containers: proxies })
    t.strictSame(task.resources, { vcpu: 3, memory_mib: 5000, pids: 8192 })
    t.strictSame(task.proxy, { http: 'http://10.0.0.33:3128', direct: ['git.example'] })
  },
)
