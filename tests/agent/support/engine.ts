/**
 * An engine of the test's own, so that nobody else's containers die with it.
 *
 * It has a network of its own too: one that starts without a bridge removes the bridge of all others.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import { sleep, systemClock } from '../../../src/platform/index.ts'
import { IMAGES_SCRIPT } from './docker.ts'

const run = promisify(execFile)
const START_MS = 60_000

export interface EngineOptions {
  flags?: readonly string[]
  /** Bytes of a disk of its own, as `mount` takes them; that of the machine when absent. */
  disk?: string
  /** First of the 65536 users that those of containers are; the same ones as the machine's when absent. */
  firstUser?: number
}

/** Has its own idea of who may be whom; nothing of the machine is changed. */
const WITH_USERS = `
mount --bind "$0" /etc/subuid && mount --bind "$0" /etc/subgid && exec dockerd --userns-remap=nobody:root "$@"`

export class Engine {
  readonly #dir: string
  readonly #options: EngineOptions
  /** Keeps the network while no engine runs. */
  readonly #network: ChildProcess
  #process: ChildProcess | null = null

  constructor(dir: string, options: EngineOptions) {
    this.#dir = dir
    this.#options = options
    const hold = 'ip link set lo up && echo ready && exec sleep infinity'
    this.#network = spawn('unshare', ['--net', 'sh', '-c', hold], { stdio: ['ignore', 'pipe', 2] })
  }

  /** How agents and the Docker CLI find it. */
  get environment(): Record<string, string | undefined> {
    return { PATH: process.env['PATH'], DOCKER_HOST: `unix://${join(this.#dir, 'docker.sock')}` }
  }

  async docker(...args: string[]): Promise<string> {
    return (await run('docker', args, { env: this.environment })).stdout.trim()
  }

  /** Again and again, as a service manager does it: what is left of the one before may be in its way. */
  async start(): Promise<void> {
    const late = AbortSignal.timeout(START_MS)
    while (!late.aborted) {
      const child = this.#spawn()
      this.#process = child
      while (!late.aborted && child.exitCode === null) {
        const isUp = await this.docker('version').then(
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
    const { firstUser, flags = [] } = this.#options
    const program =
      firstUser === undefined
        ? ['dockerd']
        : ['unshare', '--mount', 'sh', '-c', WITH_USERS, place('users')]
    const args = [
      `--net=/proc/${this.#network.pid}/ns/net`,
      ...program,
      `--data-root=${place('data')}`,
      `--exec-root=${place('exec')}`,
      `--pidfile=${place('pid')}`,
      `--host=unix://${place('docker.sock')}`,
      '--bridge=none',
      '--iptables=false',
      ...flags,
    ]
    return spawn('nsenter', args, { stdio: 'ignore', detached: true })
  }

  async ready(): Promise<void> {
    const { disk, firstUser } = this.#options
    const data = join(this.#dir, 'data')
    await mkdir(data)
    if (disk !== undefined) await run('mount', ['-t', 'tmpfs', '-o', `size=${disk}`, 'test', data])
    if (firstUser !== undefined) {
      await chmod(this.#dir, 0o711)
      const users = ['nobody', 'root'].map((name) => `${name}:${firstUser}:65536\n`)
      await writeFile(join(this.#dir, 'users'), users.join(''))
    }
    if (this.#network.stdout !== null) await once(this.#network.stdout, 'data')
  }

  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#process
    this.#process = null
    if (child === null || child.exitCode !== null) return
    const gone = once(child, 'exit')
    child.kill(signal)
    await gone
    await rm(join(this.#dir, 'pid'), { force: true })
  }

  /** An engine that was killed leaves its folder mounted on itself, once for each start. */
  async remove(): Promise<void> {
    await this.end('SIGTERM')
    this.#network.kill('SIGKILL')
    const isMounted = async () =>
      (await readFile('/proc/mounts', 'utf8')).includes(` ${this.#dir}/`)
    for (let tries = 0; tries < 20 && (await isMounted()); tries++) {
      await run('umount', ['--recursive', '--lazy', join(this.#dir, 'data')]).catch(() => undefined)
    }
    await rm(this.#dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  }
}

/** With the images of the tests. */
export async function startEngine(t: Test, options: EngineOptions): Promise<Engine> {
  const dir = await mkdtemp(join(tmpdir(), 'caravan-engine-'))
  const engine = new Engine(dir, options)
  t.teardown(async () => await engine.remove())
  await engine.ready()
  await engine.start()
  await run('bash', [IMAGES_SCRIPT], { env: engine.environment })
  return engine
}
