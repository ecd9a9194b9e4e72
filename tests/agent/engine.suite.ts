import t from 'tap'
import { startAgent } from '../build-agent/support/agent.ts'
import { ProtocolServer } from '../build-agent/support/protocol-server.ts'
import { aContainerTask, always, SERVICE, withDocker } from './support/docker.ts'
import { startEngine } from './support/engine.ts'

await withDocker(() => {
  if (process.getuid?.() !== 0) {
    t.pass('', { skip: 'only root can start an engine that may be killed' })
    return
  }

  t.test('C-64: a step survives its engine where containers do', async (t) => {
    const engine = await startEngine(t, { flags: ['--live-restore'] })
    const task = aContainerTask({
      steps: ['echo ready; sleep 4; echo done; exit 6', always('echo on')],
    })
    const server = await ProtocolServer.start(t, { task })
    const agent = await startAgent(t, server, { environment: engine.environment })
    await server.until(() => server.output(1).includes('ready'), 60_000)
    await engine.end('SIGKILL')
    await engine.start()
    await agent.exit
    t.equal(server.output(1).toString(), 'ready\ndone\n', 'every byte')
    t.match(server.finished(1), { state: 'failed', exit_code: 6, reason: 'exit_code' })
    t.equal(server.output(2).toString(), 'on\n', 'and the next step runs')
    t.equal(await engine.docker('ps', '--all', '--quiet'), '')
  })

  t.test('C-64: a step that dies with its engine is lost, and not blamed on anybody', async (t) => {
    const engine = await startEngine(t, { flags: ['--no-new-privileges'] })
    const task = aContainerTask({
      services: [{ image: SERVICE }],
      steps: ['grep NoNewPrivs /proc/self/status; echo ready; sleep 1000', always('echo never')],
    })
    const server = await ProtocolServer.start(t, { task })
    const agent = await startAgent(t, server, { environment: engine.environment })
    await server.until(() => server.output(2).includes('ready'), 60_000)
    t.match(
      server.output(2).toString(),
      /^NoNewPrivs:\s*0$/m,
      'sudo works, whatever the engine has',
    )
    const ids = (await engine.docker('ps', '--quiet')).split('\n')
    const options = await engine.docker('inspect', '-f', '{{.HostConfig.SecurityOpt}}', ...ids)
    t.same(options.split('\n'), ['[no-new-privileges=false]', '[no-new-privileges=false]'])
    await engine.end('SIGKILL')
    await engine.start()
    await agent.exit
    t.match(server.output(2).toString(), /the command was lost/)
    t.match(server.sliceFinished, { result: 'infrastructure_failed', reason: 'executor_lost' })
    t.equal(server.finished(3)?.state, 'skipped')
  })
})
