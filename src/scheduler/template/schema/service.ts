/** Services, for templates whose slices are to be found by others while they run. */
import { many, once, type BlockSchema } from './table.ts'

const checkRestart: BlockSchema = {
  attributes: {
    limit: ['Limit', 'whole'],
    grace: ['Grace', 'duration'],
    ignore_warnings: ['IgnoreWarnings', 'flag'],
  },
}

const check: BlockSchema = {
  attributes: {
    name: ['Name', 'text'],
    type: ['Type', 'text'],
    command: ['Command', 'text'],
    args: ['Args', 'texts'],
    path: ['Path', 'text'],
    protocol: ['Protocol', 'text'],
    port: ['PortLabel', 'text'],
    expose: ['Expose', 'flag'],
    address_mode: ['AddressMode', 'text'],
    interval: ['Interval', 'duration'],
    timeout: ['Timeout', 'duration'],
    initial_status: ['InitialStatus', 'text'],
    tls_server_name: ['TLSServerName', 'text'],
    tls_skip_verify: ['TLSSkipVerify', 'flag'],
    method: ['Method', 'text'],
    body: ['Body', 'text'],
    grpc_service: ['GRPCService', 'text'],
    grpc_use_tls: ['GRPCUseTLS', 'flag'],
    task: ['TaskName', 'text'],
    success_before_passing: ['SuccessBeforePassing', 'whole'],
    failures_before_critical: ['FailuresBeforeCritical', 'whole'],
    failures_before_warning: ['FailuresBeforeWarning', 'whole'],
    on_update: ['OnUpdate', 'text'],
  },
  blocks: {
    header: once('Header', 'text-lists'),
    check_restart: once('CheckRestart', checkRestart),
  },
}

export const service: BlockSchema = {
  attributes: {
    name: ['Name', 'text'],
    port: ['PortLabel', 'text'],
    tags: ['Tags', 'texts'],
    canary_tags: ['CanaryTags', 'texts'],
    enable_tag_override: ['EnableTagOverride', 'flag'],
    provider: ['Provider', 'text'],
    cluster: ['Cluster', 'text'],
    address: ['Address', 'text'],
    address_mode: ['AddressMode', 'text'],
    on_update: ['OnUpdate', 'text'],
    task: ['TaskName', 'text'],
    kind: ['Kind', 'text'],
  },
  blocks: {
    meta: once('Meta', 'texts'),
    canary_meta: once('CanaryMeta', 'texts'),
    tagged_addresses: once('TaggedAddresses', 'texts'),
    check: many('Checks', check),
    check_restart: once('CheckRestart', checkRestart),
    identity: once('Identity', {
      attributes: { aud: ['Audience', 'texts'], ttl: ['TTL', 'duration'] },
    }),
  },
}
