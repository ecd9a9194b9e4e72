/**
 * A job as Nomad stores it, and how to read one from a register call.
 *
 * @see Nomad HTTP API, "JSON Job Specification"
 */
import { z } from 'zod'
import { flag, integer, listOf, opaque, optionalInteger, text, texts } from './schema.ts'

const SECOND = 1_000_000_000

const constraint = z.object({ LTarget: text, RTarget: text, Operand: text })
export type Constraint = z.infer<typeof constraint>

const affinity = constraint.extend({ Weight: integer(50) })
export type Affinity = z.infer<typeof affinity>

const port = z.object({
  Label: z.string(),
  Value: integer(0),
  To: integer(0),
  HostNetwork: text,
  IgnoreCollision: flag,
})

const network = z.object({
  Mode: text,
  Device: text,
  CIDR: text,
  IP: text,
  Hostname: text,
  MBits: integer(0),
  DNS: opaque,
  CNI: opaque,
  DynamicPorts: listOf(port),
  ReservedPorts: listOf(port),
})

const restartPolicy = z.object({
  Attempts: optionalInteger,
  Interval: optionalInteger,
  Delay: optionalInteger,
  Mode: text,
  RenderTemplates: flag,
})

const reschedulePolicy = z.object({
  Attempts: optionalInteger,
  Interval: optionalInteger,
  Delay: optionalInteger,
  DelayFunction: text,
  MaxDelay: optionalInteger,
  Unlimited: z
    .boolean()
    .nullish()
    .transform((value) => value ?? null),
})

const resources = z.object({
  CPU: integer(100),
  Cores: integer(0),
  MemoryMB: integer(300),
  MemoryMaxMB: integer(0),
  DiskMB: integer(0),
  IOPS: integer(0),
  SecretsMB: integer(0),
  Networks: opaque,
  Devices: opaque,
  NUMA: opaque,
})

const task = z.object({
  Name: text,
  Driver: text,
  User: text,
  Config: z
    .record(z.string(), z.unknown())
    .nullish()
    .transform((value) => value ?? null),
  Env: texts,
  Meta: texts,
  Constraints: listOf(constraint),
  Affinities: listOf(affinity),
  Resources: resources.nullish().transform((value) => value ?? resources.parse({})),
  RestartPolicy: restartPolicy.nullish().transform((value) => value ?? null),
  KillTimeout: integer(5 * SECOND),
  KillSignal: text,
  Kind: text,
  Leader: flag,
  ShutdownDelay: integer(0),
  LogConfig: z
    .object({ MaxFiles: integer(10), MaxFileSizeMB: integer(10), Disabled: flag })
    .nullish()
    .transform((value) => value ?? { MaxFiles: 10, MaxFileSizeMB: 10, Disabled: false }),
  Identity: opaque,
  Identities: opaque,
  Lifecycle: opaque,
  Artifacts: opaque,
  Templates: opaque,
  Vault: opaque,
  Consul: opaque,
  Services: opaque,
  DispatchPayload: opaque,
  VolumeMounts: opaque,
  CSIPluginConfig: opaque,
  ScalingPolicies: opaque,
  Secrets: opaque,
  Actions: opaque,
  Schedule: opaque,
})

const group = z.object({
  Name: text,
  Count: integer(1),
  Constraints: listOf(constraint),
  Affinities: listOf(affinity),
  Spreads: opaque,
  Tasks: listOf(task).transform((tasks) => tasks ?? []),
  Meta: texts,
  Networks: listOf(network),
  RestartPolicy: restartPolicy.nullish().transform((value) => value ?? null),
  ReschedulePolicy: reschedulePolicy.nullish().transform((value) => value ?? null),
  Disconnect: z
    .object({
      LostAfter: integer(0),
      StopOnClientAfter: optionalInteger,
      Replace: z
        .boolean()
        .nullish()
        .transform((value) => value ?? true),
      Reconcile: text.transform((value) => value || 'best_score'),
    })
    .nullish()
    .transform((value) => value ?? null),
  EphemeralDisk: z
    .object({ SizeMB: integer(300), Sticky: flag, Migrate: flag })
    .nullish()
    .transform((value) => value ?? { SizeMB: 300, Sticky: false, Migrate: false }),
  ShutdownDelay: optionalInteger,
  MaxRunDuration: optionalInteger,
  Migrate: opaque,
  Update: opaque,
  Services: opaque,
  Volumes: opaque,
  Consul: opaque,
  Scaling: opaque,
  StopAfterClientDisconnect: optionalInteger,
  MaxClientDisconnect: optionalInteger,
  PreventRescheduleOnLost: flag,
})

export const jobSchema = z.object({
  ID: text,
  Name: text,
  Namespace: text.transform((value) => value || 'default'),
  Region: text.transform((value) => value || 'global'),
  Type: text.transform((value) => value || 'service'),
  Priority: integer(50),
  AllAtOnce: flag,
  Datacenters: listOf(z.string()).transform((names) => names ?? ['*']),
  NodePool: text.transform((value) => value || 'default'),
  Constraints: listOf(constraint),
  Affinities: listOf(affinity),
  Spreads: opaque,
  TaskGroups: listOf(group).transform((groups) => groups ?? []),
  Update: opaque,
  Meta: texts,
  Multiregion: opaque,
  Periodic: opaque,
  ParameterizedJob: opaque,
  Dispatched: flag,
  DispatchIdempotencyToken: text,
  Payload: opaque,
  ConsulNamespace: text,
  VaultNamespace: text,
  UI: opaque,
  VersionTag: opaque,
  ParentID: text,
})

/** What a user may ask for. */
export type JobSpecification = z.infer<typeof jobSchema>
export type GroupSpecification = z.infer<typeof group>
export type TaskSpecification = z.infer<typeof task>
export type RestartSpecification = z.infer<typeof restartPolicy>
export type RescheduleSpecification = z.infer<typeof reschedulePolicy>

export interface RestartPolicy {
  Attempts: number
  Interval: number
  Delay: number
  Mode: string
  RenderTemplates: boolean
}

export interface ReschedulePolicy {
  Attempts: number
  Interval: number
  Delay: number
  DelayFunction: string
  MaxDelay: number
  Unlimited: boolean
}

export interface Task extends TaskSpecification {
  RestartPolicy: RestartPolicy
}

export interface TaskGroup extends GroupSpecification {
  Tasks: Task[]
  RestartPolicy: RestartPolicy
  /** Jobs that run once on every node have none. */
  ReschedulePolicy: ReschedulePolicy | null
}

/** A stored job: what was asked for, and what the engine keeps about it. */
export interface Job extends JobSpecification {
  TaskGroups: TaskGroup[]
  Stop: boolean
  Stable: boolean
  Status: 'pending' | 'running' | 'dead'
  StatusDescription: string
  Version: number
  /** Unix nanoseconds. */
  SubmitTime: number
  NomadTokenID: string
  CreateIndex: number
  ModifyIndex: number
  JobModifyIndex: number
}

/** The text a job was registered with, for `nomad job inspect -hcl`. */
export const submissionSchema = z.object({
  Source: text,
  Format: text,
  VariableFlags: texts,
  Variables: text,
})
export type Submission = z.infer<typeof submissionSchema>
