/**
 * The metadata service of an instance (IMDSv2): who this machine is, and whether it has to go.
 *
 * Whatever answers may be a proxy or a captive page: only what has the shape of an answer is one.
 */
import { CaravanError } from '../model/index.ts'
import type { Clock } from './clock.ts'
import { createHttpClient, type HttpResponse } from './http.ts'

export interface Imds {
  instanceId(): Promise<string>
  region(): Promise<string>
  /**
   * What Auto Scaling wants of this instance: `InService`, `Terminated`, `Warmed:Stopped`, ...; new ones
   * may appear at any time. Null for an instance that is in no group.
   */
  targetState(): Promise<string | null>
  /** When EC2 takes a spot instance back; null while it does not. */
  spotNotice(): Promise<SpotNotice | null>
  /**
   * When EC2 began to recommend to replace this instance, in milliseconds since 1970 by its clock; null while
   * it does not. A hint: a notice may follow, or never come.
   */
  rebalanceHint(): Promise<number | null>
  close(): Promise<void>
}

export interface SpotNotice {
  action: 'terminate' | 'stop' | 'hibernate'
  /** Milliseconds since 1970, by the clock of EC2. */
  atMs: number
}

export interface ImdsOptions {
  /** `http://host:port`. */
  endpoint: string
  clock: Clock
}

/** Where instances find it. Nothing but an instance should ask there. */
export const IMDS_ENDPOINT = 'http://169.254.169.254'

const TOKEN_TTL_SECONDS = 21_600
/** It answers within milliseconds; through a hop too many the token's answer never comes. */
const TIMEOUT_MS = 2000
/** Of an answer; a page of a proxy may be any size. */
const BYTES_MAX = 64 * 1024

const META = '/latest/meta-data'

/**
 * Every method throws CaravanError: AWS_UNREACHABLE when nothing of sense answers now, AWS_FORBIDDEN when
 * the service is switched off for this instance.
 */
export function createImds({ endpoint, clock }: ImdsOptions): Imds {
  const http = createHttpClient({ baseUrl: endpoint, clock, connectionsMax: 2 })
  let token: string | null = null

  const send = async (
    method: 'GET' | 'PUT',
    path: string,
    headers: Record<string, string>,
  ): Promise<HttpResponse> => {
    try {
      const limits = { timeoutMs: TIMEOUT_MS, bytesMax: BYTES_MAX }
      return await http.request({ method, path, headers, ...limits })
    } catch (cause) {
      const message = `the metadata service at ${endpoint} does not answer`
      throw new CaravanError('AWS_UNREACHABLE', message, { cause, detail: UNREACHABLE })
    }
  }

  const newToken = async (): Promise<string> => {
    const ttl = { 'x-aws-ec2-metadata-token-ttl-seconds': String(TOKEN_TTL_SECONDS) }
    const answer = await send('PUT', '/latest/api/token', ttl)
    if (answer.status === 403) throw switchedOff(endpoint)
    const text = answer.text().trim()
    if (answer.status !== 200 || !/^[\w+/=-]{1,512}$/.test(text)) throw nonsense(endpoint, answer)
    return text
  }

  const read = async (path: string): Promise<HttpResponse> => {
    for (const isLast of [false, true]) {
      token ??= await newToken()
      const answer = await send('GET', path, { 'x-aws-ec2-metadata-token': token })
      if (answer.status !== 401) return answer
      // It lapsed, or the service was restarted: another one will do.
      token = null
      if (isLast) throw nonsense(endpoint, answer)
    }
    throw new CaravanError('INTERNAL', 'the metadata service was not read')
  }

  /** Null for 404: there is no such thing on this instance now. */
  const readText = async (path: string, shape: RegExp): Promise<string | null> => {
    const answer = await read(`${META}${path}`)
    if (answer.status === 404) return null
    if (answer.status === 403) throw switchedOff(endpoint)
    const text = answer.text().trim()
    if (answer.status !== 200 || !shape.test(text)) throw nonsense(endpoint, answer)
    return text
  }

  const readFact = async (path: string, shape: RegExp): Promise<string> => {
    const text = await readText(path, shape)
    if (text !== null) return text
    const message = `the metadata service at ${endpoint} has no ${path.slice(1)}`
    throw new CaravanError('AWS_UNREACHABLE', message, { detail: UNREACHABLE })
  }

  return {
    instanceId: () => readFact('/instance-id', /^i-[0-9a-f]{6,32}$/),
    region: () => readFact('/placement/region', /^[a-z0-9-]{3,32}$/),
    targetState: () =>
      readText('/autoscaling/target-lifecycle-state', /^[A-Za-z]+(?::[A-Za-z]+)*$/),
    async spotNotice() {
      const text = await readText('/spot/instance-action', /^\{.*\}$/s)
      return text === null ? null : parseNotice(endpoint, text)
    },
    async rebalanceHint() {
      const text = await readText('/events/recommendations/rebalance', /^\{.*\}$/s)
      return text === null ? null : parseHint(endpoint, text)
    },
    close: () => http.close(),
  }
}

const UNREACHABLE = { problem: 'unreachable' }

function parseNotice(endpoint: string, text: string): SpotNotice {
  const { action, time } = parseTold(endpoint, 'notice', text)
  const atMs = typeof time === 'string' ? Date.parse(time) : Number.NaN
  const isKnown = action === 'terminate' || action === 'stop' || action === 'hibernate'
  if (isKnown && !Number.isNaN(atMs)) return { action, atMs }
  throw unknownShape(endpoint, 'notice')
}

function parseHint(endpoint: string, text: string): number {
  const { noticeTime } = parseTold(endpoint, 'recommendation', text)
  const atMs = typeof noticeTime === 'string' ? Date.parse(noticeTime) : Number.NaN
  if (!Number.isNaN(atMs)) return atMs
  throw unknownShape(endpoint, 'recommendation')
}

function parseTold(endpoint: string, what: string, text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch (cause) {
    const message = `the metadata service at ${endpoint} told a ${what} that is no JSON`
    throw new CaravanError('AWS_UNREACHABLE', message, { cause, detail: UNREACHABLE })
  }
}

function unknownShape(endpoint: string, what: string): CaravanError {
  const message = `the metadata service at ${endpoint} told a ${what} of an unknown shape`
  return new CaravanError('AWS_UNREACHABLE', message, { detail: UNREACHABLE })
}

function nonsense(endpoint: string, { status }: HttpResponse): CaravanError {
  const message = `what answers at ${endpoint} is no metadata service, or not well (${status})`
  return new CaravanError('AWS_UNREACHABLE', message, { detail: { ...UNREACHABLE, status } })
}

function switchedOff(endpoint: string): CaravanError {
  const message = `the metadata service at ${endpoint} is switched off for this instance`
  return new CaravanError('AWS_FORBIDDEN', message, { detail: { problem: 'forbidden' } })
}
