/** Serves instance metadata for every machine on one port of the loopback address. */
import { fastify } from 'fastify'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { RandomSource } from '../../../platform/index.ts'
import { isAlive } from '../core/machines.ts'
import type { Machine, World } from '../core/world.ts'
import type { AwsEmulator } from '../emulator.ts'
import type { Listening } from './api-server.ts'
import { readMetadata } from './imds.ts'

const TOKEN_HEADER = 'x-aws-ec2-metadata-token'
const TTL_HEADER = 'x-aws-ec2-metadata-token-ttl-seconds'

/** Six hours, by the protocol. */
const TTL_MAX_SECONDS = 21_600

/** More than any test or rehearsal asks for; the oldest go first. */
const TOKENS_MAX = 10_000

interface Session {
  instance: string
  expiresAt: number
}

export async function startImdsServer(
  { aws, random }: { aws: AwsEmulator; random: RandomSource },
  { host, port }: { host: string; port: number },
): Promise<Listening> {
  const sessions = new Map<string, Session>()
  const app = fastify({ forceCloseConnections: true })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body))
  app.all('/*', async (request, reply) => {
    aws.catchUp()
    reply.type('text/plain').header('server', 'EC2ws')
    return answer(request, reply, { world: aws.world, sessions, random })
  })
  await app.listen({ host, port })
  const address = app.server.address()
  if (address === null || typeof address === 'string') throw new Error('no port was opened')
  return { port: address.port, close: () => app.close() }
}

interface Context {
  world: World
  sessions: Map<string, Session>
  random: RandomSource
}

function answer(request: FastifyRequest, reply: FastifyReply, context: Context): FastifyReply {
  const { world, sessions } = context
  const { instance, path } = splitPath(request.url)
  const session = readSession(request, sessions)
  const machine = findMachine(world, instance ?? session?.instance)
  if (machine === undefined) return reply.code(404).send(`no such running instance\n`)
  if (path === '/latest/api/token') return giveToken(request, reply, { ...context, machine })
  if (request.method !== 'GET') return reply.code(405).send()
  // Version 1, which asks without a token, is off: as on any machine that is set up well.
  const isValid =
    session !== undefined && session.instance === machine.id && session.expiresAt > world.now
  if (!isValid) return reply.code(401).send()
  const { status, body } = readMetadata(world, machine, path)
  return reply.code(status).send(body)
}

/** `/i-0123.../latest/...`, or without the instance. */
function splitPath(url: string): { instance: string | null; path: string } {
  const [path = ''] = url.split('?')
  const match = /^\/(i-[0-9a-f]+)(\/.*)?$/.exec(path)
  if (match === null) return { instance: null, path: decodeURIComponent(path) }
  return { instance: match[1] ?? null, path: decodeURIComponent(match[2] ?? '/') }
}

function readSession(
  request: FastifyRequest,
  sessions: ReadonlyMap<string, Session>,
): Session | undefined {
  const token = request.headers[TOKEN_HEADER]
  return typeof token === 'string' ? sessions.get(token) : undefined
}

/** The machine of that id, while its network is up; the oldest one when none is named. */
function findMachine(world: World, id: string | undefined): Machine | undefined {
  if (id === undefined) return [...world.machines.values()].find(isAlive)
  const machine = world.machines.get(id)
  return machine !== undefined && isAlive(machine) ? machine : undefined
}

function giveToken(
  request: FastifyRequest,
  reply: FastifyReply,
  { world, sessions, random, machine }: Context & { machine: Machine },
): FastifyReply {
  if (request.method !== 'PUT') return reply.code(405).send()
  const ttl = Number(request.headers[TTL_HEADER])
  if (!Number.isInteger(ttl) || ttl < 1 || ttl > TTL_MAX_SECONDS) return reply.code(400).send()
  const token = Buffer.from(random.bytes(42)).toString('base64url')
  sessions.set(token, { instance: machine.id, expiresAt: world.now + ttl * 1000 })
  const [oldest] = sessions.keys()
  if (sessions.size > TOKENS_MAX && oldest !== undefined) sessions.delete(oldest)
  return reply.header(TTL_HEADER, String(ttl)).send(token)
}
