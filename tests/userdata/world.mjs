// What a machine of the tests can reach: the metadata service, a mirror of all downloads, and the HTTP
// port of its Nomad agent. Every machine has a network of its own, so the ports are fixed.
import { appendFileSync, createReadStream, existsSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join, normalize } from 'node:path'

const [mirror, calls, ready] = process.argv.slice(2)
const TOKEN = 'AQAEAFtoken-of-the-tests=='
const MAC = '0a:1b:2c:3d:4e:5f'
const METADATA = {
  'instance-id': 'i-0123456789abcdef0',
  'local-ipv4': '10.0.7.21',
  'public-ipv4': '198.51.100.7',
  mac: MAC,
  [`network/interfaces/macs/${MAC}/vpc-ipv4-cidr-blocks`]: '10.0.0.0/16\n10.1.0.0/16',
}

/** What the metadata service is like today; see the tests. */
const METADATA_SERVICE = {
  well: metadata,
  'no public address': (request, response) =>
    request.url.endsWith('public-ipv4') ? end(response, 404, '') : metadata(request, response),
  unauthorized: (request, response) =>
    request.method === 'PUT' ? metadata(request, response) : end(response, 401, 'Unauthorized'),
  'error page': (request, response) =>
    request.method === 'PUT'
      ? metadata(request, response)
      : end(response, 200, '<html><body>Bad Gateway</body></html>'),
  silent: () => {},
}

/** Such that its turn in the ten seconds of nomad-metrics comes at once. */
const NODE_ID = '00000007-1111-4000-8000-000000000001'
const NODE_PATH = `/v1/node/${NODE_ID}`
const NOMAD = {
  '/v1/agent/self': {
    config: { Version: { Version: '2.0.5' } },
    stats: { client: { node_id: NODE_ID } },
  },
  [NODE_PATH]: {
    ID: NODE_ID,
    Status: 'ready',
    SchedulingEligibility: 'eligible',
    NodeResources: { Cpu: { CpuShares: 4000 }, Memory: { MemoryMB: 8000 }, Disk: { DiskMB: 1000 } },
  },
  '/v1/allocations': [],
}

const servers = [
  listen(8169, METADATA_SERVICE[process.env.IMDS ?? 'well']),
  listen(8170, serveFile),
  listen(3128, (_request, response) => end(response, 403, 'the proxy does not let you')),
  listen(4646, nomad),
]
await Promise.all(servers)
writeFileSync(ready, '')

function metadata(request, response) {
  const path = request.url.replace('/latest/meta-data/', '')
  if (request.method === 'PUT') {
    const lifetime = request.headers['x-aws-ec2-metadata-token-ttl-seconds']
    return request.url === '/latest/api/token' && lifetime === '300'
      ? end(response, 200, TOKEN)
      : end(response, 400, '')
  }
  if (request.headers['x-aws-ec2-metadata-token'] !== TOKEN) return end(response, 401, '')
  return path in METADATA ? end(response, 200, METADATA[path]) : end(response, 404, '')
}

/** As far as nomad-metrics asks. */
function nomad(request, response) {
  const { pathname } = new URL(request.url, 'http://nomad')
  const answer = NOMAD[pathname] ?? {}
  if (process.env.NOMAD_API === 'without its node' && pathname === NODE_PATH)
    return end(response, 404, 'node not found')
  end(response, 200, JSON.stringify(answer))
}

function serveFile(request, response) {
  const path = join(mirror, normalize(request.url))
  if (!existsSync(path)) return end(response, 404, '')
  createReadStream(path).pipe(response)
}

function listen(port, answer) {
  const server = createServer((request, response) => {
    appendFileSync(calls, `${port} ${request.method} ${request.url}\n`)
    answer(request, response)
  })
  return new Promise((listening) => server.listen(port, '127.0.0.1', listening))
}

function end(response, status, body) {
  response.writeHead(status).end(body)
}
