/** Calls to AWS that end: an answer, a refusal in the words of AWS, or a deadline. */
import type { AutoScalingClient } from '@aws-sdk/client-auto-scaling'
import type { EC2Client } from '@aws-sdk/client-ec2'
import { deadline, type Clock } from '../clock.ts'
import { toAwsFailure } from './failure.ts'
import type { AwsCall } from './types.ts'

/** What the clients of all services are made with. */
export interface AwsSettings {
  region: string
  clock: Clock
  /** How long one call may take, the repetitions inside included. */
  callMs: number
  /** Address of an emulator in place of AWS, which takes any credentials. */
  emulator?: string
  /** In place of those that go over the network: an emulator in the same process, on its clock. */
  clients?: { autoScaling: AutoScalingClient; ec2: EC2Client }
}

/** A read of 500 instances takes a second at worst; a throttled one is repeated twice inside. */
export const CALL_MS = 10_000
/** Shorter: the next beat is better than one that hangs. */
export const BEAT_MS = 5000

/** Of reads and of writes that may be repeated; the SDK waits longer each time, with jitter. */
const ATTEMPTS = 3

/** For the constructor of a client. Endpoints come from the SDK's own settings (`AWS_ENDPOINT_URL`). */
export function clientOptions(
  { region, emulator }: Pick<AwsSettings, 'region' | 'emulator'>,
  maxAttempts = ATTEMPTS,
) {
  return {
    region,
    maxAttempts,
    requestHandler: {
      connectionTimeout: 3000,
      requestTimeout: CALL_MS,
      // HTTPS_PROXY and NO_PROXY, which other tools of AWS go by and the SDK does not; Node.js does from 24.5 on.
      httpsAgent: { proxyEnv: process.env },
    },
    ...(emulator === undefined ? {} : { endpoint: emulator, credentials: ANYBODY }),
  }
}

const ANYBODY = { accessKeyId: 'emulator', secretAccessKey: 'emulator' }

export interface CallPlan {
  /** For the message: "could not" goes before it. */
  what: string
  /** Its answer may be lost when it was carried out. */
  isWrite?: boolean
  deadlineMs?: number
}

export type Caller = <T>(
  plan: CallPlan,
  options: AwsCall | undefined,
  call: (abortSignal: AbortSignal) => Promise<T>,
) => Promise<T>

export function createCaller({ clock, callMs }: Pick<AwsSettings, 'clock' | 'callMs'>): Caller {
  return async ({ what, isWrite = false, deadlineMs = callMs }, options, call) => {
    const ends = deadline(clock, deadlineMs, options?.signal)
    try {
      return await call(ends.signal)
    } catch (cause) {
      if (options?.signal?.aborted) throw options.signal.reason
      throw toAwsFailure(what, isWrite, cause)
    } finally {
      ends.cancel()
    }
  }
}

/** Lists longer than AWS takes at once, in parts. */
export function inParts<T>(items: readonly T[], size: number): T[][] {
  const parts: T[][] = []
  for (let at = 0; at < items.length; at += size) parts.push(items.slice(at, at + size))
  return parts
}

/** More pages than this is a server that turns in a circle. */
const PAGES_MAX = 1000

/** All pages, one after the other. */
export async function readAllPages<Page extends { NextToken?: string | undefined }, Item>(
  read: (token: string | undefined) => Promise<Page>,
  toItems: (page: Page) => Item[],
): Promise<Item[]> {
  const items: Item[] = []
  let token: string | undefined
  for (let page = 0; page < PAGES_MAX; page++) {
    const answer = await read(token)
    items.push(...toItems(answer))
    token = answer.NextToken || undefined
    if (token === undefined) return items
  }
  throw new Error(`a list did not end within ${PAGES_MAX} pages`)
}
