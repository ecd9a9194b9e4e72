/**
 * A Nomad that answers with a large cluster, from memory, a page at a time. Started by the bench: an
 * answer must not cost the time of the process that is measured.
 */
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { allocations, aJobStub, aNode, CLUSTER, nodeId } from './cluster.ts'

/** As the reporter asks for them. */
const PER_PAGE = 1000

const jobs = toPages(CLUSTER.jobs, aJobStub)
const nodes = toPages(CLUSTER.nodes, aNode)
const single = Buffer.from(JSON.stringify(aNode(1)))
const running = Buffer.from(JSON.stringify(allocations()))
const self = Buffer.from(
  JSON.stringify({
    config: { Version: { Version: '2.0.5' } },
    stats: { client: { node_id: nodeId(1) } },
  }),
)

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://nomad')
  const page = Number(searchParams.get('next_token') ?? 0)
  if (pathname === '/v1/jobs') send(response, jobs[page], page + 1 < jobs.length ? page + 1 : null)
  else if (pathname === '/v1/nodes') {
    send(response, nodes[page], page + 1 < nodes.length ? page + 1 : null)
  } else if (pathname.startsWith('/v1/node/')) send(response, single)
  else if (pathname === '/v1/allocations') send(response, running)
  else if (pathname === '/v1/agent/self') send(response, self)
  else response.writeHead(404).end()
})
server.listen(0, '127.0.0.1', () => {
  const bytes = [...jobs, ...nodes].reduce((sum, page) => sum + page.length, 0)
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  process.send?.({ url, bytes })
})
process.once('disconnect', () => process.exit())

function toPages(count: number, make: (number: number) => object): Buffer[] {
  return Array.from({ length: count / PER_PAGE }, (_page, page) => {
    const items = Array.from({ length: PER_PAGE }, (_item, at) => make(page * PER_PAGE + at))
    return Buffer.from(JSON.stringify(items))
  })
}

function send(
  response: ServerResponse,
  body: Buffer | undefined,
  next: number | null = null,
): void {
  response.writeHead(200, {
    'content-type': 'application/json',
    'content-length': body?.length ?? 0,
    'x-nomad-index': '9000',
    'x-nomad-knownleader': 'true',
    'x-nomad-lastcontact': '3',
    ...(next === null ? {} : { 'x-nomad-nexttoken': String(next) }),
  })
  response.end(body)
}
