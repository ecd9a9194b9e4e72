/** Claiming the slice: one random id for the life of the process, so that a lost answer does no harm. */
import {
  AGENT_EXIT,
  type AgentRefusal,
  type ClaimAnswer,
  type ClaimRequest,
  PROTOCOLS,
} from '../model/index.ts'
import { backoffMs, deadline, sleep } from '../platform/index.ts'
import type { AgentOptions, AgentServer } from './ports.ts'
import { readRetryAfterMs } from './session.ts'
import type { AgentTimings } from './timings.ts'

export type ClaimOutcome = { ok: true; claim: ClaimAnswer } | { ok: false; exitCode: number }

/** What the process ends with when the server will not have us. */
const REFUSED: Readonly<Record<Exclude<AgentRefusal, 'not_ready'>, number>> = {
  taken: AGENT_EXIT.taken,
  fenced: AGENT_EXIT.fenced,
  bad_token: AGENT_EXIT.beforeAccept,
  protocol: AGENT_EXIT.protocol,
}

/** @param signal aborts when the process is asked to end. */
export async function claimSlice(
  options: AgentOptions & { timings: AgentTimings },
  server: AgentServer,
  signal: AbortSignal,
): Promise<ClaimOutcome> {
  const { clock, log, random, timings } = options
  const request = toRequest(options)
  const limit = deadline(clock, timings.claimMs, signal)
  let isReached = false
  try {
    for (let tries = 0; !limit.signal.aborted; tries++) {
      let askedMs = 0
      try {
        const answer = await server.claim(request, limit.signal)
        if (answer.ok) return { ok: true, claim: answer.value }
        if (answer.refusal !== 'not_ready') {
          log.error('the claim was refused', { refusal: answer.refusal })
          return { ok: false, exitCode: REFUSED[answer.refusal] }
        }
        isReached = true
        log.debug('the server is not ready for the claim', { tries })
      } catch (cause) {
        if (limit.signal.aborted) break
        askedMs = readRetryAfterMs(cause)
        log[tries === 0 ? 'warn' : 'debug']('the claim had no answer, trying again', {
          tries,
          cause,
        })
      }
      const { retryBaseMs: baseMs, retryMaxMs: maxMs } = timings
      const pauseMs = backoffMs(tries, { baseMs, maxMs, random: () => random.number() })
      await sleep(clock, Math.max(pauseMs, askedMs), limit.signal)
    }
  } finally {
    limit.cancel()
  }
  if (signal.aborted) return { ok: false, exitCode: AGENT_EXIT.signaled }
  log.error('the claim was given up', { afterMs: timings.claimMs })
  return { ok: false, exitCode: isReached ? AGENT_EXIT.notReady : AGENT_EXIT.beforeAccept }
}

function toRequest(options: AgentOptions): ClaimRequest {
  return {
    claim_id: Buffer.from(options.random.bytes(16)).toString('hex'),
    token: options.server.token,
    protocol: PROTOCOLS.newest,
    protocol_oldest: PROTOCOLS.oldest,
    agent_version: options.version,
    allocation_id: options.allocation.id,
    node_id: options.node.id,
    node_name: options.node.name,
  }
}
