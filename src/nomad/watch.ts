/** Blocking queries: Nomad answers when the object changes, or after a while with what it has. */
import { backoffMs, sleep } from '../platform/index.ts'
import { evaluationPath } from './allocations.ts'
import { type Check, checkAllocations, checkEvaluation, checkJob, checkNode } from './check.ts'
import { isRepeatable } from './failure.ts'
import { jobPath } from './jobs.ts'
import { nodePath } from './nodes.ts'
import type { Watchable } from './ports.ts'
import type { Call, Reply, Transport } from './transport.ts'

/** Short enough for the patience of every proxy on the way. Nomad adds up to a sixteenth of it. */
const WAIT_MS = 50_000
const TIMEOUT_MS = WAIT_MS * (1 + 1 / 16) + 10_000
/** Between two rounds: an object that changes all the time must not keep us busy with it. */
const PAUSE_MS = 200
const BACKOFF = { baseMs: 500, maxMs: 5_000 }

const TARGETS: { [What in keyof Watchable]: (id: string) => Target<Watchable[What]> } = {
  job: (id) => ({ path: jobPath(id), check: checkJob }),
  jobAllocations: (id) => ({ path: `${jobPath(id)}/allocations`, check: checkAllocations }),
  evaluation: (id) => ({ path: evaluationPath(id), check: checkEvaluation }),
  node: (id) => ({ path: nodePath(id), check: checkNode }),
  nodeAllocations: (id) => ({ path: `${nodePath(id)}/allocations`, check: checkAllocations }),
}

interface Target<T> {
  path: string
  check: Check<T>
}

/** @see NomadClient.watch */
export async function* watch<What extends keyof Watchable>(
  transport: Transport,
  target: { what: What; id: string },
  signal: AbortSignal,
): AsyncGenerator<Watchable[What] | null> {
  const { path, check } = TARGETS[target.what](target.id)
  const purpose = `watch ${target.what} ${target.id}`
  let index = 0
  // Before anything was ever stored, the index of the first answer is 0, too.
  let told: number | null = null
  while (!signal.aborted) {
    const query = index === 0 ? {} : { index, wait: `${WAIT_MS}ms` }
    const call = { purpose, path, check, query, signal, timeoutMs: TIMEOUT_MS }
    const reply = await waitOut(transport, call, signal)
    if (reply === null) return
    if (reply.index !== told) yield reply.value
    // After a restore of the cluster the index goes back, and waiting for the old one would be endless.
    const isBack: boolean = reply.index < index
    index = isBack ? 0 : reply.index
    told = isBack ? null : reply.index
    await sleep(transport.clock, PAUSE_MS, signal)
  }
}

/** @returns null when the signal ended it. @throws what repeating can not cure. */
async function waitOut<T>(
  transport: Transport,
  call: Call<T>,
  signal: AbortSignal,
): Promise<Reply<T | null> | null> {
  const { clock, random, log } = transport
  for (let failures = 0; !signal.aborted; failures += 1) {
    try {
      return await transport.wait(call)
    } catch (cause) {
      if (signal.aborted) return null
      if (!isRepeatable(cause, 'read')) throw cause
      log.warn('watch of Nomad interrupted', { purpose: call.purpose, failures, cause })
    }
    await sleep(clock, backoffMs(failures, { ...BACKOFF, random: () => random.number() }), signal)
  }
  return null
}
