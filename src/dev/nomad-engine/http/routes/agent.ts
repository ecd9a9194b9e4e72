/** Calls about the agent, its server and its region: there is one of each. */
import type { Core } from '../../operations/jobs.ts'
import { NAMESPACE, REGION } from '../../operations/jobs.ts'
import { Refusal } from '../../operations/refusal.ts'
import { ENGINE_VERSION } from '../../version.ts'
import { json, nothing, plain } from '../call.ts'
import type { Call, Reply, Routes } from '../call.ts'
import { read } from '../read.ts'
import type { ReadDeps } from '../read.ts'

export interface AgentDeps extends Core, ReadDeps {
  /** `host:port` of the HTTP API, once it listens. */
  address: () => string
  dataDir: string
}

const NAMESPACE_ROW = {
  Name: NAMESPACE,
  Description: 'Default shared namespace',
  Meta: null,
  Quota: '',
  Capabilities: null,
  NodePoolConfiguration: null,
  VaultConfiguration: null,
  ConsulConfiguration: null,
  Hash: null,
  CreateIndex: 1,
  ModifyIndex: 1,
}

export function agentRoutes(deps: AgentDeps): Routes {
  return {
    '/v1/agent/self': { GET: (call) => json(call, describeAgent(deps)) },
    '/v1/agent/health': { GET: (call) => json(call, describeHealth(call)) },
    '/v1/agent/members': { GET: (call) => json(call, describeMembers(deps)) },
    '/v1/agent/servers': { GET: (call) => json(call, [deps.address()]) },
    '/v1/status/leader': { GET: (call) => json(call, deps.address()) },
    '/v1/status/peers': { GET: (call) => json(call, [deps.address()]) },
    '/v1/regions': { GET: (call) => json(call, [REGION]) },
    '/v1/namespaces': { GET: (call) => readFixed(deps, call, [NAMESPACE_ROW]) },
    '/v1/namespace/:name': { GET: (call) => readNamespace(deps, call) },
    '/v1/operator/license': { GET: () => nothing(204) },
    '/v1/acl/policies': { GET: () => plain(400, 'ACL support disabled') },
    '/v1/acl/token/self': { GET: () => plain(400, 'ACL support disabled') },
    // What nobody can have made here, so that tools that look at everything find it empty.
    '/v1/volumes': { GET: (call) => readFixed(deps, call, []) },
    '/v1/plugins': { GET: (call) => readFixed(deps, call, []) },
    '/v1/deployments': { GET: (call) => readFixed(deps, call, []) },
    '/v1/services': { GET: (call) => readFixed(deps, call, []) },
    '/v1/vars': { GET: (call) => readFixed(deps, call, []) },
    '/v1/scaling/policies': { GET: (call) => readFixed(deps, call, []) },
  }
}

function readFixed(deps: AgentDeps, call: Call, value: unknown): Promise<Reply> {
  return read(deps, call, { tables: [], index: () => 1, value: () => value })
}

function readNamespace(deps: AgentDeps, call: Call): Promise<Reply> {
  const value = () => {
    if (call.params['name'] === NAMESPACE) return NAMESPACE_ROW
    throw new Refusal(404, 'Namespace not found', 1)
  }
  return read(deps, call, { tables: [], index: () => 1, value })
}

/** The node that `-self` means: the first that is there. */
function describeAgent(deps: AgentDeps) {
  const [self] = deps.state.tables.node.rows.values()
  const [host, port] = splitAddress(deps.address())
  const Version = {
    Version: ENGINE_VERSION,
    VersionMetadata: 'caravan',
    VersionPrerelease: '',
    Revision: '',
  }
  const member = describeMembers(deps).Members[0]
  return {
    config: {
      Region: REGION,
      Datacenter: self?.Datacenter ?? '',
      NodeName: self?.Name ?? '',
      DataDir: deps.dataDir,
      BindAddr: host,
      Ports: { HTTP: port, RPC: 0, Serf: 0 },
      AdvertiseAddrs: { HTTP: deps.address(), RPC: '', Serf: '' },
      Client: { Enabled: true },
      Server: { Enabled: true },
      ACL: { Enabled: false },
      DevMode: true,
      // Nothing is behind the links that the CLI would print otherwise.
      UI: { Enabled: false, ShowCLIHints: false },
      Version,
    },
    member,
    stats: {
      nomad: { server: 'true', leader: 'true', leader_addr: deps.address(), known_regions: '1' },
      client: {
        node_id: self?.ID ?? '',
        known_servers: deps.address(),
        num_allocations: String(self ? deps.state.indexes.ofNode(self.ID).allocations.size : 0),
      },
      raft: { applied_index: String(deps.state.index), state: 'Leader' },
    },
  }
}

function describeHealth(call: Call) {
  const ok = { ok: true, message: 'ok' }
  const type = call.query.get('type')
  if (type === 'server') return { server: ok }
  if (type === 'client') return { client: ok }
  return { client: ok, server: ok }
}

function describeMembers(deps: AgentDeps) {
  const [host, port] = splitAddress(deps.address())
  const [self] = deps.state.tables.node.rows.values()
  const Tags = {
    build: ENGINE_VERSION,
    dc: self?.Datacenter ?? '',
    region: REGION,
    role: 'nomad',
    raft_vsn: '3',
    vsn: '1',
    rpc_addr: host,
    port: String(port),
  }
  const versions = { ProtocolMin: 1, ProtocolMax: 5, ProtocolCur: 2 }
  const member = { Name: `engine.${REGION}`, Addr: host, Port: port, Status: 'alive', Tags }
  return {
    ServerName: 'engine',
    ServerRegion: REGION,
    ServerDC: Tags.dc,
    Members: [{ ...member, ...versions, DelegateMin: 2, DelegateMax: 5, DelegateCur: 4 }],
  }
}

function splitAddress(address: string): [string, number] {
  const colon = address.lastIndexOf(':')
  return [address.slice(0, colon), Number(address.slice(colon + 1))]
}
