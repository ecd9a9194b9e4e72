/** The first call of an agent: a claim token for a session and a task. */
import {
  OUTPUT_CHUNK_BYTES_MAX,
  PROTOCOLS,
  agreeOnProtocol,
  isResult,
  type ClaimAnswer,
  type ClaimRequest,
  type Settings,
  type SliceKey,
} from '../../model/index.ts'
import type { NomadAllocation } from '../../nomad/index.ts'
import type { Clock, Log } from '../../platform/index.ts'
import type { Leases } from '../leases.ts'
import type { Ledger } from '../ledger.ts'
import type { OpenSlice } from '../open-slices.ts'
import { toTask } from '../plan.ts'
import type { AgentGate, AgentOutcome, SchedulerNomad } from '../ports.ts'
import type { Reading } from '../reading.ts'
import { insertAttempt, type AttemptPlace, type AttemptRow } from '../store/index.ts'
import { placeOfCaller, refuse } from './callers.ts'
import type { Orders } from './orders.ts'
import { hashSession, isSameSecret, toClaimToken, toSession } from './tokens.ts'

export interface ClaimDeps {
  ledger: Ledger
  reading: Reading
  leases: Leases
  orders: Orders
  nomad: Pick<SchedulerNomad, 'jobAllocations'>
  settings: Settings
  serverKey: Uint8Array
  publicUrl: () => string
  /** Of the agent's task in the Nomad job. */
  killTimeoutMs: number
  clock: Clock
  log: Log
}

export function createClaim(deps: ClaimDeps): AgentGate['claim'] {
  const { ledger, log } = deps
  return async (key, epoch, request) => {
    const place = placeOfCaller({ slice: key, epoch })
    const expected = toClaimToken(deps.serverKey, key, epoch)
    if (place === null || !isSameSecret(request.token, expected)) return refuse('bad_token')
    if (protocolFor(request) === null) return refuse('protocol')
    const entry = ledger.open.get(key)
    if (entry === undefined || entry.slice.epoch !== epoch) return refuse('fenced')
    if (isResult(entry.slice.state)) return refuse('fenced')
    if (entry.slice.job_open === 0) return refuse('not_ready')
    if (entry.attempt !== null) return repeat(deps, entry, request)
    const allocation = await findAllocation(deps, entry, request)
    if (!allocation.ok) return allocation
    if (await take(deps, { key, place, request, allocation: allocation.value })) {
      log.info('slice claimed', { slice: key, epoch, allocation: request.allocation_id })
      return answer(deps, key, request)
    }
    // Something came first while Nomad was asked: the same claim once more, another one, or a result.
    const now = ledger.open.get(key)
    return now?.attempt ? repeat(deps, now, request) : refuse('fenced')
  }
}

/** The newest that this server and the agent speak. */
function protocolFor({ protocol, protocol_oldest }: ClaimRequest): number | null {
  return agreeOnProtocol(PROTOCOLS, { oldest: protocol_oldest ?? protocol, newest: protocol })
}

/** A claim whose answer was lost comes again with the same id; anything else comes too late. */
async function repeat(
  deps: ClaimDeps,
  { key, attempt }: OpenSlice,
  request: ClaimRequest,
): Promise<AgentOutcome<ClaimAnswer>> {
  if (attempt?.claim_id !== request.claim_id) return refuse('taken')
  return answer(deps, key, request)
}

type Placed = Pick<NomadAllocation, 'ID' | 'NodeID' | 'NodeName'>

/**
 * The allocation that claims has to be the first that Nomad made for the job: an older server, or an
 * operator, may have had it replaced, and then two agents would run one slice.
 */
async function findAllocation(
  deps: ClaimDeps,
  { slice }: OpenSlice,
  request: ClaimRequest,
): Promise<AgentOutcome<Placed>> {
  const named = request.allocation_id
  if (slice.allocation_id !== null) {
    if (slice.allocation_id !== named) return refuse('fenced')
    const known = { ID: named, NodeID: slice.node_id ?? '', NodeName: slice.node_name ?? '' }
    return { ok: true, value: known }
  }
  const allocations = await deps.nomad.jobAllocations(slice.nomad_job_id, { all: true })
  const first = allocations.sort((a, b) => a.CreateIndex - b.CreateIndex)[0]
  if (first === undefined) return refuse('not_ready')
  return first.ID === named ? { ok: true, value: first } : refuse('fenced')
}

interface Taking {
  key: SliceKey
  place: AttemptPlace
  request: ClaimRequest
  allocation: Placed
}

/** @returns false when the slice can not be taken any more. */
async function take(deps: ClaimDeps, taking: Taking): Promise<boolean> {
  const { place, allocation } = taking
  const { epoch } = place
  const attempt = toAttempt(deps, taking)
  try {
    await deps.ledger.write(async (entry) => {
      await entry.record(place, {
        kind: 'placed',
        epoch,
        allocationId: allocation.ID,
        nodeId: allocation.NodeID,
        nodeName: allocation.NodeName,
      })
      const claimed = await entry.record(place, { kind: 'claimed', epoch })
      const isOurs = claimed?.allocation_id === allocation.ID
      if (!isOurs || !(await insertAttempt(entry.writer, attempt))) throw new TooLate()
      entry.attempted(attempt)
    }, place)
    return true
  } catch (cause) {
    if (cause instanceof TooLate) return false
    throw cause
  }
}

/** Thrown inside the transaction, so that nothing of it stays. */
class TooLate extends Error {}

function toAttempt(deps: ClaimDeps, { key, place, request }: Taking): AttemptRow {
  const { build, index, epoch } = place
  const session = toSession(deps.serverKey, { slice: key, epoch, claimId: request.claim_id })
  return {
    build_id: build,
    slice_index: index,
    epoch,
    claim_id: request.claim_id,
    session_hash: hashSession(session),
    agent_version: request.agent_version,
    allocation_id: request.allocation_id,
    claimed_ms: deps.clock.now(),
    events_applied: 0,
    reported_reason: null,
    reported_detail: '',
  }
}

async function answer(
  deps: ClaimDeps,
  key: SliceKey,
  request: ClaimRequest,
): Promise<AgentOutcome<ClaimAnswer>> {
  const entry = deps.ledger.open.get(key)
  if (entry === undefined || isResult(entry.slice.state)) return refuse('fenced')
  const { build, slice } = entry
  const { epoch } = slice
  deps.leases.heard(key)
  const { killTimeoutMs, settings } = deps
  const texts = await deps.reading.texts(build.id)
  return {
    ok: true,
    value: {
      session: toSession(deps.serverKey, { slice: key, epoch, claimId: request.claim_id }),
      protocol: protocolFor(request) ?? PROTOCOLS.newest,
      lease_ms: settings.limits.lease,
      server_time_ms: deps.clock.now(),
      chunk_bytes: OUTPUT_CHUNK_BYTES_MAX,
      control: deps.orders.of(slice),
      task: toTask({ build, texts, slice, settings, killTimeoutMs, publicUrl: deps.publicUrl() }),
    },
  }
}
