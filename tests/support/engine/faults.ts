/** Faults of an embedded engine, by name: what tests switch on in theirs, and nobody else can. */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { Readable, Transform } from 'node:stream'
import type { EngineOptions, Intercept, NomadEngine } from '../../../src/dev/index.ts'

/** Which calls a fault is for. All that is absent matches. */
export interface CallFilter {
  /** `PUT` stands for POST as well. */
  method?: 'GET' | 'PUT' | 'DELETE'
  /** A regular expression on path and query, such as `^/v1/jobs(\\?|$)`. */
  url?: string
  /** A regular expression on the body of the request. */
  body?: string
  /** After so many calls the fault is over. */
  times?: number
  /** So many calls pass before the first is hit. */
  skip?: number
}

export type CallFault =
  /** The call is carried out and recorded; then the connection ends without an answer. */
  | { do: 'lose_answer' }
  /** The connection ends; nothing is carried out. */
  | { do: 'lose_request' }
  /** Carried out at once, answered later. */
  | { do: 'delay'; ms: number }
  /** Answered with this, and carried out all the same when `committed`. */
  | { do: 'fail'; status: number; text: string; committed?: boolean }

/** The hooks of one engine, in this process or in another. */
export interface EngineFaults {
  onCalls(filter: CallFilter, fault: CallFault): Promise<void>
  /** Ends every fault on calls. */
  clear(): Promise<void>
  /** How many calls were hit since the start. */
  hitCount(): Promise<number>
  /** Ends the open event streams and followed logs in the middle. */
  cutStreams(): Promise<void>
  /** Nothing is answered, and no stream says anything, until `thaw`. */
  freeze(): Promise<void>
  thaw(): Promise<void>
  /** As if the node's heartbeats had stopped: its tasks go on, and nobody hears of them. */
  loseNode(name: string): Promise<void>
  restoreNode(name: string): Promise<void>
  /** SIGKILL for the tasks of these jobs, as the kernel does when memory is short. @returns how many. */
  killTasks(filter?: { node?: string; jobs?: string }): Promise<number>
}

/** Marks the calls that the hooks make themselves. */
const OWN = 'faults'

interface Rule {
  filter: CallFilter
  fault: CallFault
  seen: number
  hits: number
}

export interface FaultDesk extends EngineFaults {
  /** To start the engine with. */
  intercept: Intercept
  /** The engine that was started with it. */
  attach(engine: NomadEngine, options: Pick<EngineOptions, 'dataDir'>): void
}

export function createFaults(): FaultDesk {
  let rules: Rule[] = []
  let hitCount = 0
  const streams = new Set<Readable>()
  const frost = createFrost()
  let place: { engine: NomadEngine; dataDir: string } | null = null
  const attached = () => {
    if (place === null) throw new Error('no engine was attached')
    return place
  }
  const setNode = async (name: string, status: 'ready' | 'down') => {
    const { engine } = attached()
    engine.setNodeStatus(await findNode(engine.url, name), status)
  }
  const intercept: Intercept = async (call, next) => {
    if (call.query.has(OWN)) return next()
    await frost.over()
    const rule = rules.find((each) => matches(each.filter, call) && count(each))
    if (rule) hitCount += 1
    const reply = rule ? await carryOut(rule.fault, next) : await next()
    await frost.over()
    if (reply === 'cut' || !(reply.body instanceof Readable)) return reply
    const body = frost.through(reply.body)
    streams.add(body)
    body.once('close', () => streams.delete(body))
    return { ...reply, body }
  }
  return {
    intercept,
    attach: (engine, { dataDir }) => void (place = { engine, dataDir }),
    onCalls: async (filter, fault) => void rules.push({ filter, fault, seen: 0, hits: 0 }),
    clear: async () => void (rules = []),
    hitCount: async () => hitCount,
    cutStreams: async () => streams.forEach((each) => each.destroy()),
    freeze: async () => frost.begin(),
    thaw: async () => frost.end(),
    loseNode: (name) => setNode(name, 'down'),
    restoreNode: (name) => setNode(name, 'ready'),
    killTasks: (filter = {}) => killTasks(attached(), filter),
  }
}

/** @returns whether this call is hit. */
function count(rule: Rule): boolean {
  const { skip = 0, times = Number.POSITIVE_INFINITY } = rule.filter
  rule.seen += 1
  if (rule.seen <= skip || rule.hits >= times) return false
  rule.hits += 1
  return true
}

function matches(filter: CallFilter, call: Parameters<Intercept>[0]): boolean {
  const method = call.method === 'POST' ? 'PUT' : call.method
  return (
    (filter.method ?? method) === method &&
    new RegExp(filter.url ?? '').test(call.url) &&
    new RegExp(filter.body ?? '').test(call.body)
  )
}

async function carryOut(fault: CallFault, next: Parameters<Intercept>[1]) {
  if (fault.do === 'lose_request') return 'cut'
  if (fault.do === 'fail' && fault.committed !== true) return toReply(fault)
  const reply = await next()
  if (fault.do === 'lose_answer') return 'cut'
  if (fault.do === 'fail') return toReply(fault)
  await new Promise((resolve) => setTimeout(resolve, fault.ms))
  return reply
}

function toReply({ status, text }: { status: number; text: string }) {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: text }
}

/** A time in which nothing is said. */
function createFrost() {
  let thawed = Promise.resolve()
  let end = () => undefined as void
  return {
    begin() {
      end()
      thawed = new Promise((resolve) => (end = resolve))
    },
    end: () => end(),
    over: () => thawed,
    through(body: Readable): Readable {
      const gate = new Transform({
        transform(chunk: Buffer, _encoding, done) {
          const pass = () => {
            this.push(chunk)
            done()
          }
          void thawed.then(pass)
        },
      })
      body.once('error', (cause) => gate.destroy(cause))
      gate.once('close', () => body.destroy())
      return body.pipe(gate)
    },
  }
}

async function ask<T>(url: string): Promise<T> {
  return (await (await fetch(`${url}?namespace=*&${OWN}`)).json()) as T
}

async function findNode(url: string, name: string): Promise<string> {
  const nodes = await ask<{ ID: string; Name: string }[]>(`${url}/v1/nodes`)
  const found = nodes.find((node) => node.Name === name)
  if (found === undefined) throw new Error(`no node ${name}`)
  return found.ID
}

interface AllocationStub {
  ID: string
  JobID: string
  NodeName: string
  ClientStatus: string
}

async function killTasks(
  { engine, dataDir }: { engine: NomadEngine; dataDir: string },
  { node, jobs = '' }: { node?: string; jobs?: string },
): Promise<number> {
  const all = await ask<AllocationStub[]>(`${engine.url}/v1/allocations`)
  const hit = all.filter(
    (each) =>
      each.ClientStatus === 'running' &&
      (node ?? each.NodeName) === each.NodeName &&
      new RegExp(jobs).test(each.JobID),
  )
  return hit.flatMap(({ ID }) => pidsOf(dataDir, ID)).filter(kill).length
}

/** The engine notes the process of every task. A number that is another's by now is left alone. */
function pidsOf(dataDir: string, allocation: string): number[] {
  const folder = join(dataDir, 'client', allocation)
  try {
    return readdirSync(folder)
      .map((task) => Number(readFileSync(join(folder, task, 'pid'), 'utf8')))
      .filter((pid) => pid > 0)
      .filter((pid) => readFileSync(`/proc/${pid}/environ`, 'latin1').includes(allocation))
  } catch {
    // It has not started yet, or is over.
    return []
  }
}

function kill(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL')
  } catch {
    return false
  }
}
