import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { connectDocker, createLog, systemClock } from '../../src/platform/index.ts'
import { sleep } from '../../src/platform/index.ts'
import { sweepContainers, toLabels } from '../../src/build-agent/executors/docker/leftovers.ts'
import { sweepCommand } from '../build-agent/support/agent-process.ts'
import { runToEnd, startAgent } from '../build-agent/support/agent.ts'
import { ProtocolServer } from '../build-agent/support/protocol-server.ts'
import { aContainerTask, always, docker, leftovers, SERVICE, withDocker } from './support/docker.ts'

const silent = createLog(() => undefined, 'error')

/** Until a step has written something. */
async function untilSaid(server: ProtocolServer, step: number, text: string): Promise<void> {
  await server.until(() => server.output(step).includes(text), 60_000)
}

await withDocker(() => {
  t.test('a cancel reaches the process inside within two seconds', async (t) => {
    const command = 'trap "echo got it; exit 5" TERM; echo ready; while :; do sleep 0.1; done'
    const server = await ProtocolServer.start(t, { task: aContainerTask({ steps: [command] }) })
    const agent = await startAgent(t, server)
    await untilSaid(server, 1, 'ready')
    const startedMs = systemClock.monotonic()
    server.order({ action: 'cancel', reason: 'canceled_by_user' })
    await untilSaid(server, 1, 'got it')
    t.ok(systemClock.monotonic() - startedMs < 2000, 'in time')
    await agent.exit
    t.match(server.finished(1), { state: 'canceled', exit_code: 5 })
    t.match(server.sliceFinished, { result: 'canceled', reason: 'canceled_by_user' })
    t.same(await leftovers(), [])
  })

  t.test('a step that ignores TERM is killed, with everything that it started', async (t) => {
    const command = 'trap "" TERM; echo ready; (trap "" TERM; sleep 1000) & wait; sleep 1000'
    const server = await ProtocolServer.start(t, { task: aContainerTask({ steps: [command] }) })
    const agent = await startAgent(t, server, { timings: { graceMs: 300 } })
    await untilSaid(server, 1, 'ready')
    server.order({ action: 'cancel', reason: 'superseded' })
    await agent.exit
    t.match(server.finished(1), { state: 'canceled', exit_code: 137, signal: 'SIGKILL' })
  })

  t.test('C-50: a drain ends a step inside as it ends one outside', async (t) => {
    const command = 'trap "echo last; exit 0" TERM; echo ready; while :; do sleep 0.1; done'
    const server = await ProtocolServer.start(t, { task: aContainerTask({ steps: [command] }) })
    const agent = await startAgent(t, server)
    await untilSaid(server, 1, 'ready')
    agent.send('SIGTERM')
    t.equal(await agent.exit, 143)
    t.match(server.output(1).toString(), /^ready\n.*last\n$/s, 'it may finish what it does')
    t.match(server.sliceFinished, { result: 'infrastructure_failed', reason: 'drained' })
    t.same(await leftovers(), [])
  })

  t.test('silence and time end a step inside, and later steps still run', async (t) => {
    const task = aContainerTask({
      steps: [
        { command: 'echo once; sleep 1000', no_output_timeout_ms: 500 },
        always('echo after'),
      ],
    })
    const { server } = await runToEnd(t, task)
    t.match(server.finished(1), { state: 'timed_out', reason: 'no_output' })
    t.match(server.output(1).toString(), /Too long with no output/)
    t.equal(server.output(2).toString(), 'after\n')
  })

  t.test('too much memory is told as such', async (t) => {
    const task = aContainerTask({
      resources: { vcpu: 1, memory_mib: 64, pids: 100 },
      steps: ["x=$(head -c 300000000 /dev/zero | tr '\\0' x); echo ${#x}", always('echo after')],
    })
    const { server } = await runToEnd(t, task)
    t.match(server.finished(1), { state: 'failed', reason: 'oom' })
    t.equal(server.output(2).toString(), 'after\n')
  })

  t.test('a bomb of processes stays inside, and a cancel ends it', async (t) => {
    // Small, and made of processes that wait: on a shared machine a real one is felt by everybody.
    const bomb =
      '(while :; do sleep 1000 & done) 2> /dev/null || echo full; trap "" TERM; read x < /caravan/hold'
    const resources = { vcpu: 1, memory_mib: 256, pids: 48 }
    const task = aContainerTask({ primary: { image: SERVICE }, steps: [bomb], resources })
    const server = await ProtocolServer.start(t, { task })
    const agent = await startAgent(t, server, { timings: { graceMs: 300 } })
    await untilSaid(server, 1, 'full')
    server.order({ action: 'cancel', reason: 'canceled_by_user' })
    await agent.exit
    t.equal(server.finished(1)?.state, 'canceled')
    t.same(await leftovers(), [])
  })

  t.test(
    'C-72: a primary with a main process of its own ends the job when that ends',
    async (t) => {
      const task = aContainerTask({
        primary: {
          command: [
            '/bin/sh',
            '-c',
            'while [ ! -e /tmp/go ]; do sleep 0.1; done; echo last words; exit 4',
          ],
        },
        steps: ['touch /tmp/go; sleep 1000', always('echo never')],
      })
      const { server } = await runToEnd(t, task)
      t.match(server.output(1).toString(), /ended with exit code 4.*last words/s)
      t.match(server.finished(1), { state: 'failed', exit_code: 4 })
      t.match(server.output(2).toString(), /primary container has ended with exit code 4/)
      t.match(server.sliceFinished, { result: 'failed', reason: 'exit_code' })
    },
  )

  t.test('an image that is not there fails at once, by name', async (t) => {
    const image = '127.0.0.1:9/no/such:image'
    const { server } = await runToEnd(t, aContainerTask({ primary: { image } }))
    const told = server.output(0).toString()
    t.match(told, /127\.0\.0\.1:9\/no\/such:image: pulling/)
    t.match(told, /trying again in/, 'a registry that does not answer is asked again')
    t.match(server.sliceFinished, { result: 'infrastructure_failed', reason: 'executor_lost' })
    t.equal(server.finished(1)?.state, 'skipped')
    const bad = await runToEnd(t, aContainerTask({ primary: { image: 'Not/A/Name' } }))
    t.match(bad.server.sliceFinished, { result: 'failed', reason: 'image_pull' })
  })

  t.test('an image without a shell is refused with what it lacks', async (t) => {
    const image = 'caravan-example/empty:latest'
    const make = spawn('sh', [
      '-c',
      `tar -C "$(mktemp -d)" -c . | docker import --change 'CMD ["/x"]' - ${image}`,
    ])
    await once(make, 'exit')
    const { server } = await runToEnd(t, aContainerTask({ primary: { image } }))
    t.match(server.output(0).toString(), /\/bin\/sh/)
    t.match(server.sliceFinished, { result: 'failed', reason: 'config_error' })
    t.same(await leftovers(), [])
  })

  t.test('what a killed agent leaves ends by itself or is swept', async (t) => {
    const holder = spawn('sleep', ['1000'])
    const labels = await toLabels('slice', 1, holder.pid ?? 0)
    const flags = Object.entries(labels).flatMap(([name, value]) => ['--label', `${name}=${value}`])
    await docker('run', '--detach', ...flags, SERVICE)
    const engine = await connectDocker(process.env)
    t.same(await sweepContainers(engine, silent), { removed: 0, kept: 0 }, 'its agent lives')
    holder.kill('SIGKILL')
    await once(holder, 'exit')
    t.same(await sweepContainers(engine, silent), { removed: 1, kept: 0 })
    t.same(await leftovers(), [])
  })

  t.test('what a killed agent leaves is gone before the next one accepts', async (t) => {
    const killed = spawn('sleep', ['1000'])
    const labels = await toLabels('slice', 1, killed.pid ?? 0)
    killed.kill('SIGKILL')
    await once(killed, 'exit')
    const flags = Object.entries(labels).flatMap(([name, value]) => ['--label', `${name}=${value}`])
    const id = await docker('run', '--detach', ...flags, SERVICE)
    let left: string | null = null
    const server = await ProtocolServer.start(t, {
      task: aContainerTask({ steps: ['true'] }),
      trouble: ({ name, count }) => {
        if (name === 'accept' && count === 1) {
          left = execFileSync('docker', ['ps', '--all', '--quiet', '--no-trunc'], {
            encoding: 'utf8',
          })
        }
        return undefined
      },
    })
    t.equal(await (await startAgent(t, server)).exit, 0)
    t.type(left, 'string')
    t.notMatch(left ?? '', id)
  })

  t.test(
    'C-48: the primary of a killed agent ends, and the sweep command removes the rest',
    async (t) => {
      const script = fileURLToPath(new URL('support/agent-child.ts', import.meta.url))
      const server = await ProtocolServer.start(t, {
        task: aContainerTask({ services: [{ image: SERVICE }], steps: ['echo ready; sleep 1000'] }),
      })
      const dir = t.testdir()
      const agent = spawn(process.execPath, [script, server.url, dir], { stdio: 'ignore' })
      await untilSaid(server, 2, 'ready')
      agent.kill('SIGKILL')
      await once(agent, 'exit')
      const running = async () => await docker('ps', '--quiet', '--filter', 'name=primary')
      const late = AbortSignal.timeout(30_000)
      while ((await running()) !== '' && !late.aborted) await sleep(systemClock, 200)
      t.equal(await running(), '', 'the primary is gone with all of its steps')
      t.ok((await leftovers()).length >= 3, 'two containers and a network are left')
      const swept = await sweepCommand(['--spool-dir', join(dir, 'no-spools')])
      t.equal(swept.code, 0, swept.stderr)
      t.match(swept.stderr, /what agents left in Docker was removed/)
      t.same(await leftovers(), [], 'and the rest is swept')
    },
  )
})
