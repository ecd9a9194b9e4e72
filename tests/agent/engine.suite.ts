import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { sleep, systemClock } from '../../src/platform/index.ts'
import { startAgent } from '../build-agent/support/agent.ts'
import { ProtocolServer } from '../build-agent/support/protocol-server.ts'
import { aContainerTask, always, docker, withDocker } from './support/docker.ts'

const run = promisify(execFile)

/** An engine of our own, so that nobody else's containers die with it. */
class Engine {
  readonly #dir: string
  readonly #flags: readonly string[]
  #process: ChildProcess | null = null

  constructor(dir: string, flags: readonly string[]) {
    this.#dir = dir
    this.#flags = flags
  }

  get host(): string {
    return `unix://${join(this.#dir, 'docker.sock')}`
  }

  /** Again and again, as a service manager does it: what is left of the one before may be in its way. */
  async start(): Promise<void> {
    const late = AbortSignal.timeout(60_000)
    while (!late.aborted) {
      const child = this.#spawn()
      this.#process = child
      while (!late.aborted && child.exitCode === null) {
        const isUp = await docker('--host', this.host, 'version').then(
          () => true,
          () => false,
        )
        if (isUp) return
        await sleep(systemClock, 200)
      }
      await rm(join(this.#dir, 'pid'), { force: true })
    }
    throw new Error('the engine does not start')
  }

  #spawn(): ChildProcess {
    const place = (name: string) => join(this.#dir, name)
    const args = [
      `--data-root=${place('data')}`,
      `--exec-root=${place('exec')}`,
      `--pidfile=${place('pid')}`,
      `--host=${this.host}`,
      '--bridge=none',
      '--iptables=false',
      ...this.#flags,
    ]
    return spawn('dockerd', args, { stdio: 'ignore', detached: true })
  }

  /** An engine that was killed leaves its folder mounted on itself, once for each start. */
  async remove(): Promise<void> {
    const isMounted = async () =>
      (await readFile('/proc/mounts', 'utf8')).includes(` ${this.#dir}/`)
    for (let tries = 0; tries < 20 && (await isMounted()); tries++) {
      await run('umount', ['--recursive', '--lazy', join(this.#dir, 'data')]).catch(() => undefined)
    }
    await rm(this.#dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  }

  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#process
    this.#process = null
    if (child === null) return
    const gone = once(child, 'exit')
    child.kill(signal)
    await gone
    await rm(join(this.#dir, 'pid'), { force: true })
  }
}

async function startEngine(t: Test, flags: readonly string[]): Promise<Engine> {
  const dir = await mkdtemp(join(tmpdir(), 'caravan-engine-'))
  const engine = new Engine(dir, flags)
  const before = process.env['DOCKER_HOST']
  t.teardown(async () => {
    if (before === undefined) delete process.env['DOCKER_HOST']
    else process.env['DOCKER_HOST'] = before
    await engine.end('SIGTERM')
    await engine.remove()
  })
  await engine.start()
  process.env['DOCKER_HOST'] = engine.host
  await run('bash', ['scripts/example-images.sh'], { env: process.env })
  return engine
}

await withDocker(() => {
  if (process.getuid?.() !== 0) {
    t.pass('', { skip: 'only root can start an engine that may be killed' })
    return
  }

  t.test('a step survives its engine where containers do', async (t) => {
    const engine = await startEngine(t, ['--live-restore'])
    const task = aContainerTask({
      steps: ['echo ready; sleep 4; echo done; exit 6', always('echo on')],
    })
    const server = await ProtocolServer.start(t, { task })
    const agent = await startAgent(t, server)
    await server.until(() => server.output(1).includes('ready'), 60_000)
    await engine.end('SIGKILL')
    await engine.start()
    await agent.exit
    t.equal(server.output(1).toString(), 'ready\ndone\n', 'every byte')
    t.match(server.finished(1), { state: 'failed', exit_code: 6, reason: 'exit_code' })
    t.equal(server.output(2).toString(), 'on\n', 'and the next step runs')
    t.equal(await docker('ps', '--all', '--quiet'), '')
  })

  t.test('a step that dies with its engine is lost, and not blamed on anybody', async (t) => {
    const engine = await startEngine(t, [])
    const task = aContainerTask({ steps: ['echo ready; sleep 1000', always('echo never')] })
    const server = await ProtocolServer.start(t, { task })
    const agent = await startAgent(t, server)
    await server.until(() => server.output(1).includes('ready'), 60_000)
    await engine.end('SIGKILL')
    await engine.start()
    await agent.exit
    t.match(server.output(1).toString(), /the command was lost/)
    t.match(server.sliceFinished, { result: 'infrastructure_failed', reason: 'executor_lost' })
    t.equal(server.finished(2)?.state, 'skipped')
  })
})
