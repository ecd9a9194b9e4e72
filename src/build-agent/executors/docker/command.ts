/** One command in a container, from its start to its status. */
import { CaravanError } from '../../../model/index.ts'
import { type Clock, type DockerEngine, type Log, sleep } from '../../../platform/index.ts'
import type { Command, CommandExit, RunningCommand } from '../../process/launch.ts'
import type { AgentTimings } from '../../timings.ts'
import type { CommandOutput } from '../executor.ts'
import type { Bridge } from './bridge.ts'
import { type Observation, readEnd, type Verdict } from './ending.ts'
import { execPatiently, type StartedExec } from './exec.ts'
import { TARGET } from './scripts.ts'
import { type GroupSignal, GroupSignals } from './signals.ts'

export interface CommandDeps {
  engine: DockerEngine
  container: string
  image: string
  user: string | undefined
  bridge: Bridge
  clock: Clock
  log: Log
  timings: AgentTimings
}

/** The end of the connection wakes us sooner; this is for when it never ends. */
const LOOK_MS = 500
/** Of the looks at a command that only Docker can see: a few in a row, every ten seconds. */
const DOUBT = { every: 20, looks: 4 } as const
const GROUP_POLL_MS = 100
/** Only complaints come this way: what the command writes goes to the pipe. */
const COMPLAINT_BYTES = 4096
const SIGNAL_NUMBERS = { TERM: 15, KILL: 9 } as const

/**
 * @throws CaravanError INPUT_INVALID when the container can not run it, DOCKER_FAILED when Docker can not.
 */
export async function startCommand(
  deps: CommandDeps,
  id: string,
  command: Command,
  output: CommandOutput,
): Promise<RunningCommand> {
  const { bridge } = deps
  await bridge.prepare(id)
  const argv = [
    '/bin/sh',
    `${TARGET}/step.sh`,
    id,
    bridge.pathOf(output.file),
    command.cwd,
    ...command.argv,
  ]
  const started = await execPatiently(deps, {
    argv,
    environment: command.env,
    ...(deps.user === undefined ? {} : { user: deps.user }),
  })
  return new ContainerCommand(deps, { id, command, output, started }).running
}

interface Started {
  id: string
  command: Command
  output: CommandOutput
  started: StartedExec
}

class ContainerCommand {
  readonly running: RunningCommand
  readonly #deps: CommandDeps
  readonly #run: Started
  readonly #signals: GroupSignals
  readonly #sent = new Set<GroupSignal>()
  readonly #settled = new AbortController()
  readonly #disconnected = new AbortController()
  readonly #stuck = Promise.withResolvers<CommandExit>()
  #complaint = Buffer.alloc(0)
  #wasUnreachable = false

  constructor(deps: CommandDeps, run: Started) {
    this.#deps = deps
    this.#run = run
    const { engine, container, bridge, log } = deps
    this.#signals = new GroupSignals({
      engine,
      container,
      log,
      execId: run.started.id,
      innerPid: async () => await bridge.read(run.id, 'pid'),
    })
    const ended = this.#watch().finally(() => {
      this.#settled.abort()
      run.started.close()
    })
    const exited = Promise.race([ended, this.#stuck.promise])
    // Whoever waits for it handles it; a fault in between must not end the agent.
    exited.catch(() => undefined)
    this.running = { pid: 0, exited, stop: async (how) => await this.#stop(how) }
    void this.#listen()
  }

  async #listen(): Promise<void> {
    try {
      for await (const part of this.#run.started.output) {
        this.#complaint = Buffer.concat([this.#complaint, part]).subarray(0, COMPLAINT_BYTES)
      }
    } catch (cause) {
      this.#deps.log.debug('the connection to a command broke', { cause })
    }
    this.#disconnected.abort()
  }

  async #watch(): Promise<CommandExit> {
    const { clock } = this.#deps
    let unclearSinceMs: number | null = null
    for (let look = 0; ; look++) {
      const nowMs = clock.monotonic()
      const isConnected = !this.#disconnected.signal.aborted && !(await this.#isInDoubt(look))
      unclearSinceMs = isConnected ? null : (unclearSinceMs ?? nowMs)
      const unclearMs = unclearSinceMs === null ? 0 : nowMs - unclearSinceMs
      const verdict = readEnd(await this.#observe({ isConnected, unclearMs }))
      if (verdict.kind !== 'wait') return await this.#conclude(verdict)
      const until = this.#disconnected.signal
      await sleep(clock, LOOK_MS, until.aborted ? undefined : until)
    }
  }

  /** A connection may outlive a command that was killed. Where nobody sees the command, Docker is asked. */
  async #isInDoubt(look: number): Promise<boolean> {
    const isAlive = await this.#signals.isAlive()
    return isAlive === null ? look % DOUBT.every >= DOUBT.every - DOUBT.looks : !isAlive
  }

  async #observe(about: Pick<Observation, 'isConnected' | 'unclearMs'>): Promise<Observation> {
    const { engine, bridge, container } = this.#deps
    const seen: Observation = {
      ...about,
      status: await bridge.read(this.#run.id, 'status'),
      exec: 'unknown',
      container: 'unreachable',
      isAlive: null,
      wasUnreachable: this.#wasUnreachable,
    }
    if (seen.status !== null || about.isConnected) return seen
    try {
      seen.exec = (await engine.execFacts(this.#run.started.id)) ?? 'unknown'
      seen.container = (await engine.container(container)) ?? 'gone'
    } catch (cause) {
      this.#deps.log.debug('Docker does not answer', { cause })
      this.#wasUnreachable = true
      seen.exec = 'unreachable'
    }
    seen.wasUnreachable = this.#wasUnreachable
    seen.isAlive = await this.#signals.isAlive()
    // Written meanwhile, maybe.
    seen.status = await bridge.read(this.#run.id, 'status')
    return seen
  }

  async #conclude(verdict: Exclude<Verdict, { kind: 'wait' }>): Promise<CommandExit> {
    const { command, output } = this.#run
    switch (verdict.kind) {
      case 'no_folder': {
        const message = `the working directory ${command.cwd} does not exist, or the user of the steps may not enter it`
        throw new CaravanError('INPUT_INVALID', message)
      }
      case 'lost':
        throw new CaravanError('DOCKER_FAILED', `the command was lost: ${verdict.why}`)
      case 'container_ended':
        output.say(
          `caravan: the main process of the primary container ended with exit code ${verdict.code}, and the step with it`,
        )
        await this.#tellLastWords()
        return this.#toExit(verdict.code === 0 ? 1 : verdict.code)
      case 'exited': {
        const complaint = this.#complaint.toString('utf8').trim()
        if (complaint.includes('OCI runtime exec failed')) {
          const message = `the image ${this.#deps.image} can not run a step, which needs /bin/sh: ${complaint}`
          throw new CaravanError('INPUT_INVALID', message)
        }
        if (complaint !== '') output.say(complaint)
        return this.#toExit(verdict.code)
      }
    }
  }

  async #tellLastWords(): Promise<void> {
    const { engine, container } = this.#deps
    const words = await engine.logs(container, LAST_LINES).catch(() => Buffer.alloc(0))
    const text = words.toString('utf8').trim()
    if (text !== '') this.#run.output.say(`caravan: its last lines:\n${text}`)
  }

  /** A status can not tell a signal from a number; whether we sent it can. */
  #toExit(code: number): CommandExit {
    const signal = [...this.#sent].find((name) => code === 128 + SIGNAL_NUMBERS[name])
    return { exitCode: code, signal: signal === undefined ? null : `SIG${signal}` }
  }

  async #stop({ graceMs, urgent }: Parameters<RunningCommand['stop']>[0]): Promise<void> {
    const { clock, engine, container, timings } = this.#deps
    const killAtMs = clock.monotonic() + graceMs
    await this.#send('TERM')
    while (!urgent.aborted && clock.monotonic() < killAtMs && (await this.#isAlive())) {
      await sleep(clock, GROUP_POLL_MS, urgent)
    }
    const isKilled = await this.#send('KILL')
    if (this.#settled.signal.aborted) return
    // Where no signal gets in, as when every process that the class allows is taken, the container goes.
    const patienceMs = isKilled ? Math.min(GONE_MS, timings.killedMs) : 0
    if (await sleep(clock, patienceMs, this.#settled.signal)) {
      await engine.killContainer(container).catch((cause: unknown) => {
        this.#deps.log.error('the container can not be killed', { cause })
      })
    }
    const isStuck = await sleep(clock, timings.killedMs, this.#settled.signal)
    if (isStuck) this.#stuck.resolve({ exitCode: null, signal: 'SIGKILL' })
  }

  async #send(signal: GroupSignal): Promise<boolean> {
    this.#sent.add(signal)
    return await this.#signals.send(signal)
  }

  /** Where the group can not be seen, its leader stands for it. */
  async #isAlive(): Promise<boolean> {
    return (await this.#signals.isAlive()) ?? !this.#settled.signal.aborted
  }
}

const LAST_LINES = 20
/** How long a killed command may take to be seen gone before its whole container is killed. */
const GONE_MS = 3000
