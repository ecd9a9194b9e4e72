/** `caravan fleet scale` and `caravan fleet pin`: orders that the controller carries out. */
import { findNodes, type FleetStore } from '../../fleet/index.ts'
import { parseDurationMs, type FleetOrder } from '../../model/index.ts'
import { silentLog, systemClock } from '../../platform/index.ts'
import { openNomad } from '../compose.ts'
import { EXIT, usageError, writeJsonLine, type Io } from '../io.ts'
import { openStore, type ControllerOptions } from './open.ts'

interface OrderOptions extends ControllerOptions {
  json?: boolean
  dryRun?: boolean
}

export interface ScaleOptions extends OrderOptions {
  /** Milliseconds. */
  for: number
}

/** At least so many nodes, for some time. @param size nodes. */
export async function scaleCommand(
  pool: string,
  size: number,
  options: ScaleOptions,
  io: Io,
): Promise<number> {
  const { policies, store } = await openStore(options, io)
  try {
    const policy = policies.find(({ name }) => name === pool)
    if (policy === undefined) {
      const names = policies.map(({ name }) => name).join(', ')
      throw usageError(`there is no pool ${pool}; there are ${names}`)
    }
    if (size > policy.max || size < policy.min) {
      throw usageError(`pool ${pool} has ${policy.min} to ${policy.max} nodes`)
    }
    const nowMs = systemClock.now()
    const untilMs = nowMs + options.for
    if (!options.dryRun) store.orderSize(pool, size, untilMs, nowMs)
    const order = { about: pool, size, until: toText(untilMs), outcome: stored(options) }
    return await report({ ...order, controller: isLed(store, nowMs) }, options, io)
  } finally {
    store.close()
  }
}

export interface PinOptions extends OrderOptions {
  until?: string
  remove?: boolean
}

/** Nobody's victim until then. @param name node id, as much of it as names one, or an instance id. */
export async function pinCommand(name: string, options: PinOptions, io: Io): Promise<number> {
  if ((options.until === undefined) !== (options.remove === true)) {
    throw usageError('say until when with --until, or end it with --remove')
  }
  const nowMs = systemClock.now()
  const untilMs = options.until === undefined ? null : toTime(options.until, nowMs)
  const { settings, store } = await openStore(options, io)
  try {
    const about = name.startsWith('i-') ? name : await findNode(name, settings)
    const controller = isLed(store, nowMs)
    if (untilMs === null) {
      if (!options.dryRun && !store.unpin(about)) throw usageError(`${about} is not pinned`)
      const outcome = options.dryRun ? 'planned' : 'removed'
      return await report({ about, size: null, until: null, outcome, controller }, options, io)
    }
    if (!options.dryRun) store.pin(about, untilMs, nowMs)
    const order = { about, size: null, until: toText(untilMs), outcome: stored(options) }
    return await report({ ...order, controller }, options, io)
  } finally {
    store.close()
  }
}

async function findNode(id: string, settings: Parameters<typeof openNomad>[0]): Promise<string> {
  const nomad = await openNomad(settings, silentLog)
  try {
    const [node] = await findNodes(nomad, { kind: 'node', id })
    return node?.ID ?? id
  } finally {
    await nomad.close()
  }
}

/** A time, or how long from now. */
function toTime(text: string, nowMs: number): number {
  const ms = parseDurationMs(text)
  const untilMs = ms === null ? Date.parse(text) : nowMs + ms
  if (untilMs > nowMs) return untilMs
  throw usageError(`--until: neither a time to come nor a duration such as 4h: "${text}"`)
}

const toText = (ms: number) => new Date(ms).toISOString()
const stored = ({ dryRun }: OrderOptions): 'planned' | 'stored' => (dryRun ? 'planned' : 'stored')

/** Whether a controller is there that will see it. */
function isLed(store: FleetStore, nowMs: number): boolean {
  return (store.readLease()?.untilMs ?? 0) > nowMs
}

async function report(order: FleetOrder, options: OrderOptions, io: Io): Promise<number> {
  if (options.json) await writeJsonLine(io.stdout, order)
  else {
    const { about, size, until, outcome } = order
    const what = size === null ? 'pinned' : `at least ${size} nodes`
    const text = until === null ? 'no longer pinned' : `${what} until ${until}`
    io.stdout.write(`${about}: ${text}${outcome === 'planned' ? ' (not stored)' : ''}\n`)
  }
  if (!order.controller) {
    io.stderr.write('caravan: no controller runs on this data directory at the moment\n')
  }
  return EXIT.ok
}
