/** The `task` block and everything in it. */
import { affinity, constraint } from './placement.ts'
import { restart } from './policy.ts'
import { many, once, texts, type BlockSchema, type WireObject } from './table.ts'
import { service } from './service.ts'

export const consul: BlockSchema = {
  attributes: {
    namespace: ['Namespace', 'text'],
    cluster: ['Cluster', 'text'],
    partition: ['Partition', 'text'],
  },
}

const resources: BlockSchema = {
  attributes: {
    cpu: ['CPU', 'whole'],
    cores: ['Cores', 'whole'],
    memory: ['MemoryMB', 'whole'],
    memory_max: ['MemoryMaxMB', 'whole'],
    disk: ['DiskMB', 'whole'],
    secrets: ['SecretsMB', 'whole'],
  },
  blocks: {
    numa: once('NUMA', {
      attributes: { affinity: ['Affinity', 'text'], devices: ['Devices', 'texts'] },
    }),
    device: many(
      'Devices',
      {
        attributes: { count: ['Count', 'whole'] },
        blocks: {
          constraint: many('Constraints', constraint),
          affinity: many('Affinities', affinity),
        },
      },
      'Name',
    ),
  },
}

const logs: BlockSchema = {
  attributes: {
    max_files: ['MaxFiles', 'whole'],
    max_file_size: ['MaxFileSizeMB', 'whole'],
    disabled: ['Disabled', 'flag'],
  },
}

const artifact: BlockSchema = {
  attributes: {
    source: ['GetterSource', 'text'],
    destination: ['RelativeDest', 'text'],
    mode: ['GetterMode', 'text'],
    insecure: ['GetterInsecure', 'flag'],
    chown: ['Chown', 'flag'],
  },
  blocks: { options: once('GetterOptions', 'texts'), headers: once('GetterHeaders', 'texts') },
}

/** Five seconds, the splay of templates and the time limit of change scripts. */
const DEFAULT_DELAY_NS = 5_000_000_000

const template: BlockSchema = {
  attributes: {
    source: ['SourcePath', 'text'],
    destination: ['DestPath', 'text'],
    data: ['EmbeddedTmpl', 'text'],
    change_mode: ['ChangeMode', 'text'],
    change_signal: ['ChangeSignal', 'text'],
    env: ['Envvars', 'flag'],
    error_on_missing_key: ['ErrMissingKey', 'flag'],
    left_delimiter: ['LeftDelim', 'text'],
    right_delimiter: ['RightDelim', 'text'],
    once: ['Once', 'flag'],
    perms: ['Perms', 'text'],
    uid: ['Uid', 'whole'],
    gid: ['Gid', 'whole'],
    splay: ['Splay', 'duration'],
    vault_grace: ['VaultGrace', 'duration'],
  },
  blocks: {
    wait: once('Wait', { attributes: { min: ['Min', 'duration'], max: ['Max', 'duration'] } }),
    change_script: once('ChangeScript', {
      attributes: {
        command: ['Command', 'text'],
        args: ['Args', 'texts'],
        timeout: ['Timeout', 'duration'],
        fail_on_error: ['FailOnError', 'flag'],
      },
      defaults: { Timeout: DEFAULT_DELAY_NS },
    }),
  },
  defaults: { ChangeMode: 'restart', Perms: '0644', Splay: DEFAULT_DELAY_NS },
}

const volumeMount: BlockSchema = {
  attributes: {
    volume: ['Volume', 'text'],
    destination: ['Destination', 'text'],
    read_only: ['ReadOnly', 'flag'],
    propagation_mode: ['PropagationMode', 'text'],
    selinux_label: ['SELinuxLabel', 'text'],
  },
}

const identity: BlockSchema = {
  attributes: {
    name: ['Name', 'text'],
    aud: ['Audience', 'texts'],
    env: ['Env', 'flag'],
    file: ['File', 'flag'],
    filepath: ['Filepath', 'text'],
    change_mode: ['ChangeMode', 'text'],
    change_signal: ['ChangeSignal', 'text'],
    ttl: ['TTL', 'duration'],
  },
}

const vault: BlockSchema = {
  attributes: {
    policies: ['Policies', 'texts'],
    role: ['Role', 'text'],
    namespace: ['Namespace', 'text'],
    cluster: ['Cluster', 'text'],
    env: ['Env', 'flag'],
    disable_file: ['DisableFile', 'flag'],
    change_mode: ['ChangeMode', 'text'],
    change_signal: ['ChangeSignal', 'text'],
    allow_token_expiration: ['AllowTokenExpiration', 'flag'],
  },
  defaults: { Env: true, ChangeMode: 'restart' },
}

export const taskSchema: BlockSchema = {
  attributes: {
    driver: ['Driver', 'text'],
    user: ['User', 'text'],
    kind: ['Kind', 'text'],
    leader: ['Leader', 'flag'],
    kill_timeout: ['KillTimeout', 'duration'],
    kill_signal: ['KillSignal', 'text'],
    shutdown_delay: ['ShutdownDelay', 'duration'],
  },
  blocks: {
    config: once('Config', 'free'),
    env: texts('Env'),
    meta: texts('Meta'),
    resources: once('Resources', resources),
    logs: once('LogConfig', logs),
    restart: once('RestartPolicy', restart),
    constraint: many('Constraints', constraint),
    affinity: many('Affinities', affinity),
    lifecycle: once('Lifecycle', {
      attributes: { hook: ['Hook', 'text'], sidecar: ['Sidecar', 'flag'] },
    }),
    artifact: many('Artifacts', artifact),
    template: many('Templates', template),
    volume_mount: many('VolumeMounts', volumeMount),
    identity: many('Identities', identity),
    vault: once('Vault', vault),
    consul: once('Consul', consul),
    service: many('Services', service),
    action: many(
      'Actions',
      { attributes: { command: ['Command', 'text'], args: ['Args', 'texts'] } },
      'Name',
    ),
    secret: many(
      'Secrets',
      {
        attributes: { provider: ['Provider', 'text'], path: ['Path', 'text'] },
        blocks: { config: once('Config', 'free'), env: once('Env', 'texts') },
      },
      'Name',
    ),
  },
  finish: splitIdentities,
}

/** The first identity without a name, or named "default", is the task's own and stands apart. */
function splitIdentities({ Identities: identities = [], ...fields }: WireObject): WireObject {
  const all = identities as WireObject[]
  const own = all.find(({ Name: name }) => ['', 'default'].includes((name ?? '') as string))
  const others = all.filter((each) => each !== own)
  return {
    ...fields,
    ...(own === undefined ? {} : { Identity: own }),
    ...(others.length > 0 ? { Identities: others } : {}),
  }
}
