/** The query APIs of Auto Scaling and EC2 over HTTP, as the SDKs and the `aws` command speak them. */
import { fastify } from 'fastify'
import type { FastifyReply } from 'fastify'
import type { Log, RandomSource } from '../../../platform/index.ts'
import { Refusal } from '../actions/refusal.ts'
import type { Service } from '../actions/refusal.ts'
import { ConnectionCut, makeCall } from '../calls.ts'
import type { AwsIntercept } from '../calls.ts'
import type { AwsEmulator } from '../emulator.ts'
import { parseQuery, renameEc2 } from './query.ts'
import { toAnswer, toFault } from './xml.ts'

/** Far above any call that keeps to the limits of the API. */
const BODY_BYTES_MAX = 1024 * 1024

const SERVICES: Readonly<Record<string, Service>> = {
  '2011-01-01': 'autoscaling',
  '2016-11-15': 'ec2',
}

export interface ApiServerOptions {
  aws: AwsEmulator
  random: RandomSource
  log: Log
  intercept: AwsIntercept | undefined
  /** How far a caller's clock may be off; nobody's is looked at when absent. */
  clockLimitMs?: number | undefined
}

export interface Listening {
  port: number
  close(): Promise<void>
}

export async function startApiServer(
  options: ApiServerOptions,
  { host, port }: { host: string; port: number },
): Promise<Listening> {
  const app = fastify({ bodyLimit: BODY_BYTES_MAX, forceCloseConnections: true })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body))
  app.all('/', async (request, reply) => {
    const query = request.url.includes('?') ? request.url.slice(request.url.indexOf('?') + 1) : ''
    const body = typeof request.body === 'string' ? request.body : ''
    const form = new URLSearchParams(body === '' ? query : body)
    return answer(options, form, reply, request.headers['x-amz-date'])
  })
  await app.listen({ host, port })
  const address = app.server.address()
  if (address === null || typeof address === 'string') throw new Error('no port was opened')
  return { port: address.port, close: () => app.close() }
}

async function answer(
  options: ApiServerOptions,
  form: URLSearchParams,
  reply: FastifyReply,
  sentAt: string | string[] | undefined,
): Promise<FastifyReply> {
  const requestId = toRequestId(options.random)
  const service = SERVICES[form.get('Version') ?? '']
  const action = form.get('Action') ?? ''
  const now = options.aws.now()
  // SDKs correct their own clock by this one.
  reply.header('date', new Date(now).toUTCString())
  reply.type('text/xml;charset=UTF-8').header('x-amzn-requestid', requestId)
  try {
    if (service === undefined) {
      const message = `Could not find operation ${action} for version ${form.get('Version') ?? 'none'}`
      throw new Refusal('InvalidAction', message)
    }
    checkClock(now, options.clockLimitMs, sentAt)
    const input = readInput(service, form)
    const { aws, intercept } = options
    const output = await makeCall(aws, intercept, { service, action, input })
    return reply.send(toAnswer(service, action, output, requestId))
  } catch (cause) {
    if (cause instanceof ConnectionCut) return cut(reply)
    const refusal = cause instanceof Refusal ? cause : toOwnFault(options.log, action, cause)
    return reply.code(refusal.status).send(toFault(service ?? 'autoscaling', refusal, requestId))
  }
}

/** The time of a signature, such as `20260101T120000Z`. @throws Refusal when it is too far off. */
function checkClock(now: number, limitMs: number | undefined, sentAt: unknown): void {
  if (limitMs === undefined || typeof sentAt !== 'string') return
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(sentAt)?.slice(1)
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = parts?.map(Number) ?? []
  const at = Date.UTC(year, month - 1, day, hour, minute, second)
  if (Math.abs(now - at) > limitMs) throw new Refusal('RequestExpired', 'Request has expired.')
}

/** @throws Refusal */
function readInput(service: Service, form: URLSearchParams): Record<string, unknown> {
  const fields = new URLSearchParams([...form].filter(([name]) => !ENVELOPE.includes(name)))
  const input = parseQuery(fields)
  if (input === null) {
    throw new Refusal('MalformedQueryString', 'The names of the parameters contradict one another.')
  }
  return service === 'ec2' ? Object(renameEc2(input)) : input
}

/** What says which call it is, and who calls. Nobody's signature is checked. */
const ENVELOPE = [
  'Action',
  'Version',
  'AWSAccessKeyId',
  'Signature',
  'SignatureMethod',
  'SignatureVersion',
  'Timestamp',
]

function toOwnFault(log: Log, action: string, cause: unknown): Refusal {
  log.error('emulated call failed', { action, cause })
  return new Refusal('InternalFailure', 'the emulator failed on this call: its log tells more')
}

function cut(reply: FastifyReply): FastifyReply {
  reply.hijack()
  reply.raw.destroy()
  return reply
}

function toRequestId(random: RandomSource): string {
  const hex = Buffer.from(random.bytes(16)).toString('hex')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
