/** A Nomad that answers as the test says, and counts who connects. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import type { Test } from 'tap'

export type Answer =
  | { status?: number; json?: unknown; text?: string; headers?: Record<string, string> }
  | ((response: ServerResponse) => void)

export interface ScriptedNomad {
  address: string
  /** Paths that were asked for, without their queries. */
  asked: string[]
  requests: IncomingMessage[]
  /** By the start of the path; the longest that fits. */
  answers: Record<string, Answer>
  /** Ever made. */
  connections: number
  open: Set<Socket>
}

const NODE = {
  ID: 'node-1',
  Name: 'i-1',
  Status: 'ready',
  NodeClass: 'linux-64bit',
  NodePool: 'default',
  SchedulingEligibility: 'eligible',
  Drain: false,
  NodeResources: {
    Cpu: { CpuShares: 8000 },
    Memory: { MemoryMB: 16_000 },
    Disk: { DiskMB: 90_000 },
  },
  ReservedResources: { Cpu: { CpuShares: 0 }, Memory: { MemoryMB: 0 }, Disk: { DiskMB: 0 } },
}

/** A sound cluster of one node and two jobs. */
const SOUND: Record<string, Answer> = {
  '/v1/agent/self': {
    json: { config: { Version: { Version: '2.0.5' } }, stats: { client: { node_id: 'node-1' } } },
  },
  '/v1/jobs': { json: [{ Status: 'running' }, { Status: 'pending' }] },
  '/v1/node/': { json: NODE },
  '/v1/nodes': { json: [NODE] },
  '/v1/allocations': { json: [] },
  '/v1/node/node-1/allocations': { json: [] },
  '/v1/acl/token/self': { json: { Type: 'management' } },
}

export async function startNomad(
  t: Test,
  own: Record<string, Answer> = {},
): Promise<ScriptedNomad> {
  const nomad: ScriptedNomad = {
    address: '',
    asked: [],
    requests: [],
    answers: { ...SOUND, ...own },
    connections: 0,
    open: new Set(),
  }
  const server = createServer((request, response) => {
    const path = (request.url ?? '').split('?', 1)[0] ?? ''
    nomad.asked.push(path)
    nomad.requests.push(request)
    const [place] = Object.keys(nomad.answers)
      .filter((start) => path.startsWith(start))
      .sort((a, b) => b.length - a.length)
    const answer = nomad.answers[place ?? ''] ?? { status: 404, text: 'no such path' }
    if (typeof answer === 'function') return answer(response)
    const { status = 200, json, text, headers = {} } = answer
    response.writeHead(status, {
      'content-type': text === undefined ? 'application/json' : 'text/plain',
      ...headers,
    })
    response.end(text ?? JSON.stringify(json))
  })
  server.on('connection', (socket) => {
    nomad.connections += 1
    nomad.open.add(socket)
    socket.on('close', () => nomad.open.delete(socket))
  })
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  nomad.address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return nomad
}
