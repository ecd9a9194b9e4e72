/** The demand of the scheduler's queue, over its HTTP API. */
import { CaravanError, demandAnswer, type DemandAnswer } from '../model/index.ts'
import type { HttpClient, HttpResponse } from '../platform/index.ts'
import type { Demand, DemandSource, Room } from './ports.ts'

const TIMEOUT_MS = 5000
/** Ten thousand slices of 300 bytes, and room. */
const BYTES_MAX = 16 * 1024 * 1024

/** The server sends something now and then, also when nothing changes. */
const FOLLOW = { idleTimeoutMs: 60_000 }

/** @param server for messages. */
export function createDemandClient(http: HttpClient, server: string): DemandSource {
  return {
    async read(signal) {
      const response = await http
        .request({
          method: 'GET',
          path: '/api/v1/demand',
          timeoutMs: TIMEOUT_MS,
          bytesMax: BYTES_MAX,
          ...(signal === undefined ? {} : { signal }),
        })
        .catch((cause: unknown) => {
          throw new CaravanError('SERVER_UNREACHABLE', `${server} does not answer`, { cause })
        })
      return toDemand(readDemand(response, server))
    },
    async *changes(signal) {
      const path = '/api/v1/demand/follow'
      const { status, body } = await http.stream({ method: 'GET', path, signal, ...FOLLOW })
      try {
        if (status !== 200) throw new CaravanError('SERVER_ERROR', `${path} answers ${status}`)
        for await (const part of body) {
          // What changed is read with the next look, whole: that something did is enough.
          if (/^event: changes/m.test(String(part))) yield part
        }
      } finally {
        body.destroy()
      }
    },
  }
}

function readDemand(response: HttpResponse, server: string): DemandAnswer {
  if (response.status === 401 || response.status === 403) {
    const message = `${server} refuses our token: one with the role read is needed`
    throw new CaravanError('SERVER_ERROR', message)
  }
  if (response.status !== 200) {
    const message = `${server} answered with ${response.status} when asked for the demand`
    throw new CaravanError('SERVER_ERROR', message)
  }
  try {
    return demandAnswer.parse(response.json())
  } catch (cause) {
    const message = `${server} answered with something else than the demand`
    throw new CaravanError('SERVER_ERROR', message, { cause })
  }
}

/** Slices that Nomad has placed take no further machine: what is left waits. */
export function toDemand({ classes, slices }: DemandAnswer): Demand {
  const needs = new Map(classes.map((each) => [each.resource_class, toRoom(each.reservation)]))
  const onNodes = new Map<string, number>()
  for (const { resource_class, state, node_id } of slices) {
    if (state !== 'placing' || node_id === null) continue
    onNodes.set(resource_class, (onNodes.get(resource_class) ?? 0) + 1)
  }
  return {
    classes: classes.map((each) => ({
      name: each.resource_class,
      pool: each.pool,
      ...standInsOf(each),
      need: toRoom(each.reservation),
      waiting: Math.max(0, each.waiting + each.placing - (onNodes.get(each.resource_class) ?? 0)),
      oldestMs: each.oldest_waiting_seconds * 1000,
    })),
    placed: slices.flatMap(({ slice, node_id, resource_class, predicted }) => {
      if (node_id === null) return []
      const need = needs.get(resource_class) ?? NOTHING
      const remainingMs = predicted === null ? null : predicted.p80 * 1000
      return [{ slice, nodeId: node_id, need, remainingMs }]
    }),
  }
}

function standInsOf({ pool, pools = [] }: DemandAnswer['classes'][number]) {
  const standIns = pools.filter((each) => each !== pool)
  return standIns.length > 0 ? { standIns } : {}
}

/** Of a class that nobody knows any more: it has a place already. */
const NOTHING: Room = { cpuMhz: 0, memoryMiB: 0 }

function toRoom(told: DemandAnswer['classes'][number]['reservation']): Room | null {
  return told === null ? null : { cpuMhz: told.cpu_mhz, memoryMiB: told.memory_mib }
}
