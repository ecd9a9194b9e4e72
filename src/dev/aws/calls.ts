/** A call on its way through the edge: what tests and scripts may do to it before and after it counts. */
import type { Output } from './actions/action.ts'
import { Refusal } from './actions/refusal.ts'
import type { Service } from './actions/refusal.ts'
import type { AwsEmulator } from './emulator.ts'

export interface AwsCall {
  service: Service
  action: string
  input: Record<string, unknown>
}

/**
 * Stands around every call. `next` does it: whatever it changes has happened when it settles, also when its
 * answer is then thrown away. `cut` ends the connection without an answer; a `Refusal` that is thrown is one.
 */
export type AwsIntercept = (
  call: AwsCall,
  next: () => Promise<Output>,
) => Promise<Output | 'cut'> | Output | 'cut'

/** The answer got lost: the caller can not know whether it was done. */
export class ConnectionCut extends Error {
  override readonly name = 'ConnectionCut'
}

/** @throws Refusal, ConnectionCut */
export async function makeCall(
  aws: AwsEmulator,
  intercept: AwsIntercept | undefined,
  call: AwsCall,
): Promise<Output> {
  const next = () =>
    new Promise<Output>((resolve) => resolve(aws.call(call.service, call.action, call.input)))
  if (intercept === undefined) return next()
  const outcome = await intercept(call, next)
  if (outcome === 'cut') throw new ConnectionCut('the connection was cut')
  return outcome
}

export interface FaultRule {
  /** Such as `CompleteLifecycleAction`; every action when absent. */
  action?: string
  /** An error code to answer with. `cut` loses the call, `cut after` only its answer. */
  fault: string
  /** How many calls it hits. */
  times: number
}

/** Faults by order: each rule hits the next calls that it fits, and is then used up. */
export class Faults {
  #rules: FaultRule[] = []

  add(rule: FaultRule): void {
    this.#rules.push({ ...rule })
  }

  clear(): void {
    this.#rules = []
  }

  readonly intercept: AwsIntercept = async (call, next) => {
    const rule = this.#rules.find(({ action = call.action }) => action === call.action)
    if (rule === undefined) return next()
    rule.times--
    this.#rules = this.#rules.filter(({ times }) => times > 0)
    if (rule.fault === 'cut') return 'cut'
    if (rule.fault === 'cut after') {
      await next()
      return 'cut'
    }
    throw new Refusal(
      rule.fault,
      MESSAGES[rule.fault] ?? `${rule.fault}, by order of the emulator's script`,
    )
  }
}

const MESSAGES: Readonly<Record<string, string>> = {
  Throttling: 'Rate exceeded',
  RequestLimitExceeded: 'Request limit exceeded.',
  ResourceContention:
    'You already have a pending update to an Amazon EC2 Auto Scaling resource (for example, an Auto Scaling group, instance, or load balancer).',
  ExpiredToken: 'The security token included in the request is expired',
}
