/** An embedded engine in a process of its own: to be killed, frozen and started again on its folder. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { EngineSetup, HookAnswer, HookCall } from './child.ts'
import type { EngineFaults } from './faults.ts'

export interface EngineProcess {
  readonly url: string
  readonly pid: number
  /** The process itself is stopped by `freeze`, and goes on after `thaw`. */
  readonly faults: EngineFaults
  /** SIGKILL. Its tasks go on. */
  kill(): Promise<void>
  /** Another process on the same folder and port. Faults on calls are forgotten. */
  restart(): Promise<void>
  /** Ends it and its tasks. */
  close(): Promise<void>
}

export interface EngineProcessOptions extends Partial<EngineSetup> {
  dataDir: string
  /** File for what the engine logs; nowhere when absent. */
  logFile?: string
}

const CHILD = fileURLToPath(new URL('child.ts', import.meta.url))

export async function startEngineProcess(options: EngineProcessOptions): Promise<EngineProcess> {
  const { logFile, ...given } = options
  const environment = { PATH: process.env['PATH'] }
  const setup = { port: 0, nodes: [{}], environment, ...given }
  let running = await start(setup, logFile)
  const { url } = running
  const port = Number(new URL(url).port)
  const call =
    (hook: keyof EngineFaults) =>
    (...args: unknown[]) =>
      running.call(hook, args)
  const names = [
    'onCalls',
    'clear',
    'hitCount',
    'cutStreams',
    'loseNode',
    'restoreNode',
    'killTasks',
  ] as const
  const hooks = Object.fromEntries(names.map((name) => [name, call(name)]))
  return {
    url,
    get pid() {
      return running.child.pid ?? 0
    },
    faults: {
      ...hooks,
      freeze: async () => void running.child.kill('SIGSTOP'),
      thaw: async () => void running.child.kill('SIGCONT'),
    } as EngineFaults,
    kill: () => end(running.child, 'SIGKILL'),
    async restart() {
      running = await start({ ...setup, port }, logFile)
    },
    async close() {
      running.child.kill('SIGCONT')
      await end(running.child, 'SIGTERM')
    },
  }
}

interface Running {
  child: ChildProcess
  url: string
  call(hook: keyof EngineFaults, args: unknown[]): Promise<unknown>
}

async function start(setup: EngineSetup, logFile: string | undefined): Promise<Running> {
  const child = fork(CHILD, [JSON.stringify(setup)], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
  let said = ''
  child.stderr?.on('data', (bytes: Buffer) => {
    said = `${said}${bytes.toString()}`.slice(-SAID_MAX)
    if (logFile !== undefined) appendFileSync(logFile, bytes)
  })
  const url = await new Promise<string>((resolve, reject) => {
    child.once('message', (first: string) => resolve(first))
    child.once('exit', (code) => reject(new Error(`the engine ended with ${code}: ${said}`)))
  })
  return { child, url, call: createCaller(child) }
}

/** Enough of the last words to see why it did not start. */
const SAID_MAX = 2000

function createCaller(child: ChildProcess): Running['call'] {
  const waiting = new Map<number, (answer: HookAnswer) => void>()
  let count = 0
  child.on('message', (answer: HookAnswer) => {
    waiting.get(answer.id)?.(answer)
    waiting.delete(answer.id)
  })
  child.once('exit', () => {
    for (const [id, settle] of waiting) settle({ id, error: 'the engine is gone' })
  })
  return async (hook, args) => {
    const id = ++count
    const answer = await new Promise<HookAnswer>((resolve, reject) => {
      waiting.set(id, resolve)
      const message: HookCall = { id, hook, args }
      child.send(message, (cause) => cause && reject(cause))
    })
    if (answer.error !== undefined) throw new Error(`${hook}: ${answer.error}`)
    return answer.value
  }
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill(signal)
  await ended
}
