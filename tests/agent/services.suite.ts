import { readFileSync } from 'node:fs'
import t from 'tap'
import { aStep, runToEnd, startAgent } from '../build-agent/support/agent.ts'
import { ProtocolServer } from '../build-agent/support/protocol-server.ts'
import { aContainerTask, always, docker, leftovers, SERVICE, withDocker } from './support/docker.ts'

const FETCH = 'for i in 1 2 3 4 5 6 7 8 9 10; do wget -qO- "$URL" && exit; sleep 0.3; done; exit 1'

await withDocker(() => {
  t.test('a service answers on localhost and by its name, and its output is a step', async (t) => {
    const task = aContainerTask({
      services: [{ image: SERVICE, name: 'web.example' }],
      steps: [
        aStep({ command: FETCH, environment: { URL: 'http://localhost:8080/' } }),
        aStep({ command: FETCH, environment: { URL: 'http://web.example:8080/' } }),
      ],
    })
    const { server, log } = await runToEnd(t, task)
    t.equal(server.output(2).toString(), 'hello from the service\n', log)
    t.equal(server.output(3).toString(), 'hello from the service\n')
    t.match(server.output(1).toString(), /^the service listens on 8080\n.*GET|^the service listens/)
    t.equal(server.finished(1)?.state, 'succeeded')
    t.match(server.sliceFinished, { result: 'succeeded' })
    t.same(await leftovers(), [])
  })

  t.test(
    'C-69, C-70: a service that dies or does not start is shown, and the job goes on',
    async (t) => {
      const task = aContainerTask({
        services: [
          { image: SERVICE, command: ['/bin/sh', '-c', 'echo last words; exit 3'] },
          { image: SERVICE, entrypoint: ['/no/such/program'] },
        ],
        steps: ['sleep 1; echo on'],
      })
      const { server } = await runToEnd(t, task)
      t.match(
        server.output(1).toString(),
        /^last words\ncaravan: the service ended with exit code 3/,
      )
      t.equal(server.finished(1)?.state, 'failed')
      t.equal(server.finished(1)?.exit_code, 3)
      t.equal(server.finished(2)?.state, 'failed')
      t.match(server.output(0).toString(), /port 8080\/tcp is announced by .* and .*/)
      t.equal(server.output(3).toString(), 'on\n')
      t.match(server.sliceFinished, { result: 'succeeded' })
    },
  )

  t.test('B-75: a service that asks for it is waited for', async (t) => {
    const chatter =
      'i=0; while [ $i -lt 3000 ]; do echo "a line of what starts up, again and again and again and again and again and again"; i=$((i+1)); done'
    const late = ['/bin/sh', '-c', `sleep 1.5; ${chatter}; exec httpd -f -p 8080 -h /www`]
    const task = aContainerTask({
      services: [
        { image: SERVICE, command: late, environment: { CARAVAN_SERVICE_WAIT: '1m' } },
        {
          image: SERVICE,
          name: 'never',
          command: ['/bin/sh', '-c', 'sleep 1000'],
          environment: { CARAVAN_SERVICE_WAIT: '500ms' },
        },
      ],
      steps: ['wget -qO- http://localhost:8080/'],
    })
    const { server } = await runToEnd(t, task)
    t.equal(server.output(3).toString(), 'hello from the service\n', 'without asking twice')
    t.equal(server.output(1).toString().split('\n').length, 3001, 'and its output is whole')
    const told = server.output(0).toString()
    t.match(told, /^caravan-example\/service:latest: ready after [1-9]\d*\.\d s$/m)
    t.match(told, /^never: not ready after 500ms: nobody listens on port 8080. Going on$/m)
    const wrong = aContainerTask({
      services: [{ image: SERVICE, environment: { CARAVAN_SERVICE_WAIT: 'soon' } }],
    })
    const refused = await runToEnd(t, wrong)
    t.match(refused.server.sliceFinished, { result: 'failed', reason: 'config_error' })
    t.match(refused.server.output(0).toString(), /CARAVAN_SERVICE_WAIT of .* not soon/)
  })

  t.test('the metadata address can not be reached from the network of the job', async (t) => {
    // Asks the routing table only: nothing is sent.
    const ask = 'ip route get 169.254.169.254 2>&1 || true'
    const { server } = await runToEnd(t, aContainerTask({ steps: [ask] }))
    const told = server.output(1).toString()
    t.match(told, /prohibit|Permission denied|unreachable/, told)
  })

  t.test('the network of the operator is used where it exists', async (t) => {
    await docker('network', 'create', 'ci-privileged')
    t.teardown(async () => void (await docker('network', 'rm', 'ci-privileged')))
    const server = await ProtocolServer.start(t, { task: aContainerTask({ steps: ['sleep 60'] }) })
    const agent = await startAgent(t, server)
    await server.until(() =>
      server.events.some((event) => event.type === 'step_started' && event.step === 1),
    )
    const ids = await leftovers()
    const network = await docker('inspect', '-f', '{{.HostConfig.NetworkMode}}', ids[0] ?? '')
    t.equal(network, 'ci-privileged')
    t.equal(ids.length, 1, 'no network of the job')
    agent.send('SIGTERM')
    await agent.exit
  })

  t.test('cpu, memory and processes come from the class, one group for all', async (t) => {
    const server = await ProtocolServer.start(t, {
      task: aContainerTask({ services: [{ image: SERVICE }], steps: ['sleep 60'] }),
    })
    const agent = await startAgent(t, server)
    await server.until(() =>
      server.events.some((event) => event.type === 'step_started' && event.step === 2),
    )
    const ids = (await leftovers()).slice(0, 2)
    const format = '{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}} {{.HostConfig.CgroupParent}}'
    const told = await Promise.all(ids.map(async (id) => await docker('inspect', '-f', format, id)))
    t.equal(told[0], told[1])
    t.match(told[0], /^536870912 8192 /)
    const parent = told[0]?.split(' ')[2] ?? ''
    if (parent !== '') t.equal(readGroupLimit(parent), '536870912')
    const mounts = await Promise.all(
      ids.map(async (id) => await docker('inspect', '-f', '{{json .Mounts}}', id)),
    )
    const folders = mounts.flatMap(
      (json) => JSON.parse(json) as { Destination: string; RW: boolean }[],
    )
    t.same(
      folders.map(({ Destination, RW }) => `${Destination} ${RW}`).sort(),
      ['/caravan false', '/caravan/out true'],
      'no folder of the host but the bridge, and that in the primary alone',
    )
    agent.send('SIGTERM')
    await agent.exit
    t.same(await leftovers(), [])
    if (parent !== '') t.throws(() => readGroupLimit(parent), 'the group is gone')
  })

  t.test('proxies of the node reach the containers, in both spellings', async (t) => {
    const environment = {
      PATH: process.env['PATH'],
      DOCKER_HTTP_PROXY: 'http://proxy.example:3128',
      NO_PROXY: 'git.example',
    }
    const task = aContainerTask({ steps: ['env | grep -i _proxy | sort', always('true')] })
    const { server } = await runToEnd(t, task, { environment })
    const direct = 'git.example,localhost,127.0.0.1,169.254.169.254'
    t.equal(
      server.output(1).toString(),
      [
        'HTTP_PROXY=http://proxy.example:3128',
        `NO_PROXY=${direct}`,
        'http_proxy=http://proxy.example:3128',
        `no_proxy=${direct}`,
        '',
      ].join('\n'),
    )
  })
})

function readGroupLimit(parent: string): string {
  for (const file of [`memory${parent}/memory.limit_in_bytes`, `${parent.slice(1)}/memory.max`]) {
    try {
      return readFileSync(`/sys/fs/cgroup/${file}`, 'utf8').trim()
    } catch {
      // The other version.
    }
  }
  throw new Error('there is no such group')
}
