/** The `group` block and what stands in it beside its tasks. */
import { affinity, constraint, spread } from './placement.ts'
import { disconnect, reschedule, restart, update } from './policy.ts'
import { byLabel, many, once, texts, type BlockSchema, type WireObject } from './table.ts'
import { service } from './service.ts'
import { consul, taskSchema } from './task.ts'

const ephemeralDisk: BlockSchema = {
  attributes: {
    size: ['SizeMB', 'whole'],
    sticky: ['Sticky', 'flag'],
    migrate: ['Migrate', 'flag'],
  },
}

const port: BlockSchema = {
  attributes: {
    static: ['Value', 'whole'],
    to: ['To', 'whole'],
    host_network: ['HostNetwork', 'text'],
    ignore_collision: ['IgnoreCollision', 'flag'],
  },
}

const network: BlockSchema = {
  attributes: { mode: ['Mode', 'text'], hostname: ['Hostname', 'text'] },
  blocks: {
    port: many('Ports', port, 'Label'),
    dns: once('DNS', {
      attributes: {
        servers: ['Servers', 'texts'],
        searches: ['Searches', 'texts'],
        options: ['Options', 'texts'],
      },
    }),
    cni: once('CNI', { attributes: { args: ['Args', 'map'] } }),
  },
  finish: splitPorts,
}

/** Ports with a number of their own are reserved, the others Nomad picks. */
function splitPorts({ Ports: ports = [], ...fields }: WireObject): WireObject {
  const all = ports as WireObject[]
  const isReserved = (each: WireObject) => Number(each['Value'] ?? 0) > 0
  const reserved = all.filter(isReserved)
  const dynamic = all.filter((each) => !isReserved(each))
  return {
    ...fields,
    ...(reserved.length > 0 ? { ReservedPorts: reserved } : {}),
    ...(dynamic.length > 0 ? { DynamicPorts: dynamic } : {}),
  }
}

const volume: BlockSchema = {
  attributes: {
    type: ['Type', 'text'],
    source: ['Source', 'text'],
    read_only: ['ReadOnly', 'flag'],
    sticky: ['Sticky', 'flag'],
    access_mode: ['AccessMode', 'text'],
    attachment_mode: ['AttachmentMode', 'text'],
    per_alloc: ['PerAlloc', 'flag'],
  },
  blocks: {
    mount_options: once('MountOptions', {
      attributes: { fs_type: ['FSType', 'text'], mount_flags: ['MountFlags', 'texts'] },
    }),
  },
}

export const groupSchema: BlockSchema = {
  attributes: {
    count: ['Count', 'whole'],
    shutdown_delay: ['ShutdownDelay', 'duration'],
    max_run_duration: ['MaxRunDuration', 'duration'],
    stop_after_client_disconnect: ['StopAfterClientDisconnect', 'duration'],
    max_client_disconnect: ['MaxClientDisconnect', 'duration'],
    prevent_reschedule_on_lost: ['PreventRescheduleOnLost', 'flag'],
  },
  blocks: {
    meta: texts('Meta'),
    constraint: many('Constraints', constraint),
    affinity: many('Affinities', affinity),
    spread: many('Spreads', spread),
    restart: once('RestartPolicy', restart),
    reschedule: once('ReschedulePolicy', reschedule),
    disconnect: once('Disconnect', disconnect),
    update: once('Update', update),
    ephemeral_disk: once('EphemeralDisk', ephemeralDisk),
    network: many('Networks', network),
    volume: byLabel('Volumes', volume, 'Name'),
    service: many('Services', service),
    consul: once('Consul', consul),
    task: many('Tasks', taskSchema, 'Name'),
  },
}
