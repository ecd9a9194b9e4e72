/**
 * The one place where a request gets in or not: before its body is read, by the row that its route has
 * in the table of `model/`.
 */
import { createHash } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { CaravanError, accessOf, explainOnOneLine, mayUse, type Access } from '../model/index.ts'
import type { AgentGate, TokenBook } from '../scheduler/index.ts'
import { type Access as Callers, type Member, readBearer } from './access.ts'
import type { App } from './app.ts'
import { toRefusal } from './errors.ts'
import type { RateLimits } from './rate-limits.ts'
import { agentParams } from './schemas.ts'

export interface GuardDeps {
  callers: Callers
  book: Pick<TokenBook, 'onRevoked'>
  agents: Pick<AgentGate, 'admits'>
  limits: RateLimits
}

/** Who a request comes from, for the routes that ask. */
const members = new WeakMap<object, Member>()

/** @throws CaravanError INTERNAL for a route that needs no member. */
export function memberOf(request: FastifyRequest): Member {
  const member = members.get(request)
  if (member === undefined) throw new CaravanError('INTERNAL', 'this route has no caller')
  return member
}

/** Before any route is added: a route without a row in the table is a mistake that ends the start. */
export function addGuard(app: App, deps: GuardDeps): void {
  app.addHook('onRoute', ({ method, url }) => {
    for (const each of [method].flat()) {
      if (accessOf(each, url) !== null) continue
      throw new CaravanError('INTERNAL', `nobody has said who may use ${each} ${url}`)
    }
  })
  app.addHook('onRequest', async (request, reply) => {
    const { method, url } = request.routeOptions
    const name = [method].flat()[0] ?? request.method
    // What is not there is nobody's.
    const access = url === undefined ? 'public' : accessOf(name, url)
    if (access === null) throw new CaravanError('INTERNAL', `nobody may use ${name} ${url}`)
    if (access === 'public') return deps.limits.stranger(request.ip)
    if (access === 'claim' || access === 'session') {
      return admitAgent(deps, request, { reply, kind: access })
    }
    members.set(request, admitMember(deps, request, { reply, access }))
  })
}

function admitMember(
  { callers, book, limits }: GuardDeps,
  { headers, ip }: FastifyRequest,
  { reply, access }: { reply: FastifyReply; access: Access },
): Member {
  if (!callers.needsToken) {
    const local = callers.checkLocalCaller(headers)
    limits.member(local.name)
    return local
  }
  const secret = readBearer(headers.authorization)
  if (secret === null) {
    limits.stranger(ip)
    throw new CaravanError('UNAUTHORIZED', 'this server needs a bearer token')
  }
  const digest = createHash('sha256').update(secret).digest('base64')
  limits.attempt(ip, digest)
  const member = callers.findMember(secret)
  if (member === null) {
    limits.failed(ip)
    throw new CaravanError('UNAUTHORIZED', 'this server does not know the token')
  }
  limits.succeeded(ip, digest)
  limits.member(member.name)
  if (!mayUse(member.role, access)) {
    throw new CaravanError(
      'FORBIDDEN',
      `a token with the role ${member.role} may not do this: it takes ${access}`,
      { detail: { role: member.role, needed: access } },
    )
  }
  // Whoever revokes a token may use it for that, and has to hear that it is done.
  if (member.token !== null && access !== 'admin') {
    // Whoever follows a build is cut off, too.
    const forget = book.onRevoked(member.token.id, () => reply.raw.destroy())
    reply.raw.once('close', forget)
  }
  return member
}

async function admitAgent(
  { agents, limits }: GuardDeps,
  request: FastifyRequest,
  { reply, kind }: { reply: FastifyReply; kind: 'claim' | 'session' },
): Promise<FastifyReply | undefined> {
  const place = agentParams.safeParse(request.params)
  if (!place.success) {
    limits.stranger(request.ip)
    const message = `the path does not fit: ${explainOnOneLine(place.error.issues)}`
    throw new CaravanError('INPUT_INVALID', message)
  }
  // Without one, it is the scheduler that refuses: no proof is ever empty.
  const bearer = readBearer(request.headers.authorization) ?? ''
  const outcome = await agents.admits(place.data, { kind, bearer })
  if (outcome.ok) {
    limits.agent(place.data.slice)
    return undefined
  }
  // Proofs of slices can not be guessed, so nobody is locked out: a step that sends nonsense from a
  // node must not hold up the agents of the other slices there.
  if (outcome.refusal === 'bad_token') limits.failed(request.ip)
  else limits.stranger(request.ip)
  const { status, body } = toRefusal(outcome.refusal)
  return reply.code(status).send(body)
}
