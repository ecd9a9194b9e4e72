/**
 * A Nomad that answers with a large cluster, from memory, a page at a time. Started by the bench: an
 * answer must not cost the time of the process that is measured.
 */
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { allocations, aJobStub, aNode, aNodeStub, CLUSTER, nodeId } from './cluster.ts'

const jobs = toItems(CLUSTER.jobs, aJobStub)
const nodes = toItems(CLUSTER.nodes, aNodeStub)
/** Made once: whoever asks again for the same place gets the same bytes. */
const pages = new Map<string, Buffer>()
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
  if (pathname === '/v1/jobs') sendPage(response, jobs, searchParams)
  else if (pathname === '/v1/nodes') sendPage(response, nodes, searchParams)
  else if (pathname.startsWith('/v1/node/')) send(response, single)
  else if (pathname === '/v1/allocations') send(response, running)
  else if (pathname === '/v1/agent/self') send(response, self)
  else response.writeHead(404).end()
})
server.listen(0, '127.0.0.1', () => {
  const bytes = [...jobs, ...nodes].reduce((sum, item) => sum + item.length, 0)
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  process.send?.({ url, bytes })
})
process.once('disconnect', () => process.exit())

function toItems(count: number, make: (number: number) => object): string[] {
  return Array.from({ length: count }, (_, number) => JSON.stringify(make(number)))
}

function sendPage(
  response: ServerResponse,
  items: readonly string[],
  query: URLSearchParams,
): void {
  const from = Number(query.get('next_token') ?? 0)
  const until = from + Number(query.get('per_page'))
  const place = `${items === jobs ? 'jobs' : 'nodes'} ${from} ${until}`
  const page = pages.get(place) ?? Buffer.from(`[${items.slice(from, until).join()}]`)
  pages.set(place, page)
  send(response, page, until < items.length ? until : null)
}

function send(response: ServerResponse, body: Buffer, next: number | null = null): void {
  response.writeHead(200, {
    'content-type': 'application/json',
    'content-length': body.length,
    'x-nomad-index': '9000',
    'x-nomad-knownleader': 'true',
    'x-nomad-lastcontact': '3',
    ...(next === null ? {} : { 'x-nomad-nexttoken': String(next) }),
  })
  response.end(body)
}
