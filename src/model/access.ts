/** Who may do what: the roles, the tokens that carry them, and what each route of the API asks for. */
import { z } from 'zod'
import { parseDurationMs } from './units.ts'

export const ROLES = ['admin', 'submit', 'read', 'agent'] as const
export type Role = (typeof ROLES)[number]

/**
 * What a route asks for besides a role: `public` nothing, `member` a token of any role, `claim` the
 * claim token of the slice in its path, `session` the session that a claim was answered with.
 */
export type Access = 'public' | 'member' | 'claim' | 'session' | 'admin' | 'submit' | 'read'

/**
 * A role may do what its row names. Machines of the fleet hold `agent`: whatever is lost with such a
 * machine opens nothing of people's. What concerns a slice is proven by the slice's own tokens alone.
 */
const MAY: Readonly<Record<Role, readonly Access[]>> = {
  admin: ['member', 'read', 'submit', 'admin'],
  submit: ['member', 'read', 'submit'],
  read: ['member', 'read'],
  agent: ['member'],
}

export function mayUse(role: Role, access: Access): boolean {
  return access === 'public' || MAY[role].includes(access)
}

const BUILD = '/api/v1/builds/:ref'
const AGENT = '/api/v1/agent/:slice/:epoch'

/** Every route that is served, with what it asks for. A route without a row is not served. */
export const ROUTE_ACCESS: Readonly<Record<string, Access>> = {
  'GET /healthz': 'public',
  'GET /health-check': 'public',
  'GET /healthcheck': 'public',
  'GET /status': 'public',
  'GET /readyz': 'public',
  'GET /openapi.json': 'public',
  'GET /metrics': 'read',
  'GET /api/v1/whoami': 'member',
  'POST /api/v1/tokens': 'admin',
  'GET /api/v1/tokens': 'admin',
  'DELETE /api/v1/tokens/:id': 'admin',
  'POST /api/v1/sources': 'submit',
  'POST /api/v1/builds': 'submit',
  'GET /api/v1/builds': 'read',
  [`GET ${BUILD}`]: 'read',
  [`POST ${BUILD}/cancel`]: 'submit',
  [`POST ${BUILD}/rerun`]: 'submit',
  [`GET ${BUILD}/follow`]: 'read',
  'GET /api/v1/demand': 'read',
  'GET /api/v1/demand/follow': 'read',
  [`GET ${BUILD}/slices/:slice/steps/:step/output`]: 'read',
  [`POST ${AGENT}/claim`]: 'claim',
  [`POST ${AGENT}/accept`]: 'session',
  [`POST ${AGENT}/events`]: 'session',
  [`POST ${AGENT}/output`]: 'session',
  [`GET ${AGENT}/control`]: 'session',
  [`GET ${AGENT}/why`]: 'session',
  [`GET ${AGENT}/source`]: 'session',
}

/** @param method in capitals; HEAD is a GET. @param pattern as registered, such as `/builds/:ref`. */
export function accessOf(method: string, pattern: string): Access | null {
  const key = `${method === 'HEAD' ? 'GET' : method} ${pattern}`
  return Object.hasOwn(ROUTE_ACCESS, key) ? (ROUTE_ACCESS[key] ?? null) : null
}

/** `caravan_` and 64 hex digits: what a scanner for lost secrets finds, and a double click selects. */
export const TOKEN_PREFIX = 'caravan_'

const time = z.iso.datetime().nullable()

/** 100 years: later than that, a clock can not say. */
const EXPIRES_MS_MAX = 100 * 365 * 86_400_000

/** Text of a duration, `90d`. */
const expires = z.string().refine((text) => {
  const ms = parseDurationMs(text)
  return ms !== null && ms > 0 && ms <= EXPIRES_MS_MAX
}, 'must be a duration such as "90d" or "12h"')

export const tokenRequest = z.object({
  role: z.enum(ROLES),
  /** For people: whose it is, or what uses it. */
  name: z
    .string()
    .max(100)
    .refine((text) => !text.includes('\0'), 'must not hold a NUL character')
    .default(''),
  /** From now; never when absent. */
  expires: expires.optional(),
})
export type TokenRequest = z.infer<typeof tokenRequest>
export type TokenRequestInput = z.input<typeof tokenRequest>

export const tokenView = z.object({
  id: z.string(),
  name: z.string(),
  role: z.enum(ROLES),
  created_at: z.iso.datetime(),
  expires_at: time,
  /** To about ten minutes. */
  last_used_at: time,
})
export type TokenView = z.infer<typeof tokenView>

/** The only time that the token itself is shown. */
export const createdToken = tokenView.extend({ token: z.string() })
export type CreatedToken = z.infer<typeof createdToken>

export const tokenList = z.object({
  tokens: z.array(tokenView),
  next_cursor: z.string().nullable(),
})

export const whoAmI = z.object({
  role: z.enum(ROLES),
  /** Null for a token of the settings file, and on a server without tokens. */
  token: tokenView.nullable(),
})
export type WhoAmI = z.infer<typeof whoAmI>
