/**
 * Seeds in processes of their own, so that one that spins or crashes is told like any other violation. What a
 * seed finds hangs on nothing but the seed: not on which process runs it, nor on what that one ran before.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../../../src/platform/index.ts'
import type { Verdict } from './scenario.ts'
import type { Order } from './worker.ts'

const WORKER = fileURLToPath(new URL('worker.ts', import.meta.url))
/** A seed takes about a second; a machine that does much else takes a while, and one that spins for ever. */
const SEED_MS = 180_000
/** Of what a process said last, for its obituary. */
const WORDS_KEPT = 4000

export class Worker {
  readonly #file: string
  readonly #seedMs: number
  #child: ChildProcess | null = null
  #words = ''

  constructor(file = WORKER, seedMs = SEED_MS) {
    this.#file = file
    this.#seedMs = seedMs
  }

  /** Never rejects: a process that comes to nothing is a verdict, too. */
  run(order: Order): Promise<Verdict> {
    const child = (this.#child ??= this.#start())
    return new Promise((resolve) => {
      const end = (verdict: Verdict) => {
        timer.cancel()
        child.off('message', end).off('exit', onExit)
        resolve(verdict)
      }
      const fail = (violation: string) => {
        this.#child = null
        end({ ...NOTHING, seed: order.seed, violations: [violation] })
      }
      const onExit = (code: number | null, signal: string | null) => {
        fail(
          `the process that ran it has ended (${signal ?? `code ${code}`}): ${this.#words.trim()}`,
        )
      }
      const timer = systemClock.after(this.#seedMs, () => {
        fail(`it did not come to its end within ${this.#seedMs / 1000} s`)
        child.kill('SIGKILL')
      })
      child.on('message', end).on('exit', onExit)
      child.send(order)
    })
  }

  close(): void {
    this.#child?.disconnect()
    this.#child = null
  }

  #start(): ChildProcess {
    const child = fork(this.#file, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
    this.#words = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#words = (this.#words + text).slice(-WORDS_KEPT)
    })
    return child
  }
}

const NOTHING: Omit<Verdict, 'seed'> = {
  violations: [],
  slices: 0,
  strikes: {},
  fingerprint: '',
  story: [],
}

/** Runs them all, so many at a time. @param tell is called in the order of the seeds. */
export async function runSeeds(
  orders: readonly Order[],
  jobs: number,
  tell: (verdict: Verdict) => void,
): Promise<void> {
  const done = new Map<number, Verdict>()
  let next = 0
  let told = 0
  const work = async () => {
    const worker = new Worker()
    for (let at = next++; at < orders.length; at = next++) {
      const order = orders[at]
      if (order === undefined) break
      done.set(at, await worker.run(order))
      for (let first = done.get(told); first !== undefined; first = done.get(told)) {
        done.delete(told)
        told += 1
        tell(first)
      }
    }
    worker.close()
  }
  await Promise.all(Array.from({ length: Math.min(jobs, orders.length) }, work))
}
