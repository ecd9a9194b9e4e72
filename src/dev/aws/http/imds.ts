/**
 * Instance metadata, version 2: what an instance can find out about itself. The answer to one request.
 *
 * On a real machine the address is the same for all and the answers are its own. Here one server stands for
 * all machines: the first step of the path names the instance, or the token does, which belongs to the
 * instance that it was made for.
 */
import type { Machine, World } from '../core/world.ts'

interface ImdsAnswer {
  status: number
  body: string
}

const NOT_FOUND: ImdsAnswer = {
  status: 404,
  body: '<?xml version="1.0" encoding="iso-8859-1"?>\n<html><head><title>404 - Not Found</title></head><body><h1>404 - Not Found</h1></body></html>\n',
}

/** The tree of texts below `/latest`; a name that ends in `/` is a folder. */
export function readMetadata(world: World, machine: Machine, path: string): ImdsAnswer {
  const wanted = path.replace(/^\/(?:latest|2\d{3}-\d\d-\d\d)/, '').replace(/\/+$/, '')
  if (wanted === '') return { status: 200, body: 'dynamic\nmeta-data\nuser-data' }
  const tree = describe(world, machine)
  const found = tree.get(wanted)
  if (found !== undefined) return { status: 200, body: found }
  const below = [...tree.keys()].filter((key) => key.startsWith(`${wanted}/`))
  if (below.length === 0) return NOT_FOUND
  const names = below.map((key) => {
    const [first = '', ...rest] = key.slice(wanted.length + 1).split('/')
    return rest.length > 0 ? `${first}/` : first
  })
  return { status: 200, body: [...new Set(names)].sort().join('\n') }
}

function describe(world: World, machine: Machine): Map<string, string> {
  const { settings } = world
  const host = `ip-${machine.privateIp.replaceAll('.', '-')}.ec2.internal`
  const tree = new Map([
    ['/meta-data/ami-id', machine.imageId],
    ['/meta-data/ami-launch-index', '0'],
    ['/meta-data/hostname', host],
    ['/meta-data/instance-id', machine.id],
    ['/meta-data/instance-life-cycle', machine.isSpot ? 'spot' : 'on-demand'],
    ['/meta-data/instance-type', machine.instanceType],
    ['/meta-data/local-hostname', host],
    ['/meta-data/local-ipv4', machine.privateIp],
    ['/meta-data/placement/availability-zone', machine.zone],
    ['/meta-data/placement/region', settings.region],
    ['/meta-data/events/maintenance/scheduled', '[]'],
    ['/meta-data/services/domain', 'amazonaws.com'],
    ['/meta-data/services/partition', 'aws'],
    ['/dynamic/instance-identity/document', toDocument(world, machine)],
  ])
  for (const [key, value] of machine.tags) tree.set(`/meta-data/tags/instance/${key}`, value)
  const at = world.now - settings.lag.imdsMs
  const target = machine.target.asOf(at)
  if (machine.group !== null && target !== undefined) {
    tree.set('/meta-data/autoscaling/target-lifecycle-state', target)
  }
  const notice = machine.spotNotice
  if (notice !== null && notice.at <= at) {
    const time = toSeconds(notice.time)
    tree.set('/meta-data/spot/instance-action', JSON.stringify({ action: notice.action, time }))
    if (notice.action === 'terminate') tree.set('/meta-data/spot/termination-time', time)
  }
  if (machine.rebalanceAt !== null && machine.rebalanceAt <= at) {
    const noticeTime = toSeconds(machine.rebalanceAt)
    tree.set('/meta-data/events/recommendations/rebalance', JSON.stringify({ noticeTime }))
  }
  return tree
}

function toDocument(world: World, machine: Machine): string {
  return JSON.stringify(
    {
      accountId: world.settings.accountId,
      architecture: 'x86_64',
      availabilityZone: machine.zone,
      imageId: machine.imageId,
      instanceId: machine.id,
      instanceType: machine.instanceType,
      pendingTime: toSeconds(machine.launchedAt),
      privateIp: machine.privateIp,
      region: world.settings.region,
      version: '2017-09-30',
    },
    null,
    2,
  )
}

function toSeconds(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19)}Z`
}
