/** The scheduler's side of the agent protocol. */
import type { Settings } from '../../model/index.ts'
import type { Clock, Log, MetricSink } from '../../platform/index.ts'
import type { Leases } from '../leases.ts'
import type { Ledger } from '../ledger.ts'
import type { Followers } from '../output/index.ts'
import type { AgentGate, OutputStore, SchedulerNomad } from '../ports.ts'
import type { Reading } from '../reading.ts'
import { hasAccepted } from '../slice-machine.ts'
import type { Sources } from '../sources.ts'
import { createIdentify, refuse } from './callers.ts'
import { createClaim } from './claim.ts'
import { createControl, createWhy } from './control.ts'
import type { Delivery } from './delivery.ts'
import { createEvents } from './events.ts'
import { createLateOutput } from './late-output.ts'
import type { Orders } from './orders.ts'
import { createOutput } from './output.ts'
import { isSameSecret, toClaimToken } from './tokens.ts'

export { createDelivery, type Delivery } from './delivery.ts'
export { createOrders } from './orders.ts'
export { toClaimToken } from './tokens.ts'

export interface GateDeps {
  ledger: Ledger
  reading: Reading
  leases: Leases
  delivery: Delivery
  outputs: OutputStore
  orders: Orders
  followers: Followers
  sources: Sources
  nomad: SchedulerNomad
  settings: Settings
  serverKey: Uint8Array
  publicUrl: () => string
  /** Of the agent's task in the Nomad job. */
  killTimeoutMs: number
  clock: Clock
  log: Log
  metrics: MetricSink
  /** Aborts when the server closes. */
  closing: AbortSignal
}

export function createAgentGate(deps: GateDeps): AgentGate {
  const { ledger, leases, reading, sources, orders } = deps
  const identify = createIdentify({ open: ledger.open, read: ledger.read, leases })
  return {
    async admits(slice, { kind, bearer }) {
      if (kind === 'claim') {
        const expected = toClaimToken(deps.serverKey, slice.slice, slice.epoch)
        return isSameSecret(bearer, expected) ? { ok: true, value: null } : refuse('bad_token')
      }
      const known = await identify({ ...slice, session: bearer }, true)
      return known.ok ? { ok: true, value: null } : known
    },
    claim: createClaim(deps),
    async accept(caller) {
      const known = await identify(caller)
      if (!known.ok) return known
      const { place, key } = known.value
      await ledger.record(place, { kind: 'accepted', epoch: place.epoch })
      // Accepted now, or by an earlier call whose answer was lost; anything else has overtaken it.
      const slice = ledger.open.get(key)?.slice
      if (slice === undefined || !hasAccepted(slice.state)) return refuse('fenced')
      return { ok: true, value: { control: orders.of(slice) } }
    },
    events: createEvents({ ...deps, identify }),
    output: createOutput({
      ...deps,
      open: ledger.open,
      identify,
      late: createLateOutput({ ...deps, outputMax: deps.settings.limits.output }),
    }),
    control: createControl({ ...deps, identify }),
    why: createWhy({ ...deps, identify }),
    async source(caller) {
      const known = await identify(caller)
      if (!known.ok) return known
      const { source } = await reading.texts(known.value.place.build)
      const value = source.kind === 'bundle' ? await sources.open(source.id) : null
      return { ok: true, value }
    },
  }
}
