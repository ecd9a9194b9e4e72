/** How often AWS is called while nothing happens, on a virtual clock. */
import {
  createSteadyTime,
  openFleetStore,
  startFleet,
  type FleetGroups,
} from '../../src/fleet/index.ts'
import {
  noMetrics,
  silentLog,
  systemRandom,
  TestClock,
  type AwsGroup,
  type AwsInstance,
} from '../../src/platform/index.ts'
import { FakeNomad } from '../../tests/fleet/support/nomad.ts'
import { NO_DEMAND } from '../../tests/fleet/support/queue.ts'
import { aPolicy, HOOK } from '../../tests/fleet/support/views.ts'

const GROUPS = 20
const NODES = 500
const MINUTES = 10
/** Instances on one page of EC2. */
const PAGE = 1000

/** Pages count as calls. */
export async function quietCallsPerMinute(): Promise<number> {
  const clock = new TestClock()
  const nomad = new FakeNomad(clock)
  const policies = Array.from({ length: GROUPS }, (_, at) =>
    aPolicy({ name: `pool-${at}`, group: `group-${at}`, min: NODES, max: NODES }),
  )
  const groups = policies.map(({ group }) => quietGroup(group, nomad))
  let calls = 0
  const counted =
    <Answer>(answer: Answer, pages = 1) =>
    async (): Promise<Answer> => {
      calls += pages
      return answer
    }
  const refused = async (): Promise<never> => {
    throw new Error('a quiet fleet changed something')
  }
  const pages = (GROUPS * NODES) / PAGE
  const aws: FleetGroups = {
    region: 'us-east-1',
    readGroups: counted(groups),
    readMembers: counted([]),
    readHooks: counted([HOOK]),
    readActivities: counted([]),
    isRefreshing: counted(false),
    readTemplateVersion: counted({ version: '1', imageId: null }),
    async readInstances(ids) {
      calls += Math.ceil(ids.length / PAGE)
      return ids.map(aMachine)
    },
    findInstances: counted([], pages),
    setDesired: refused,
    terminateInGroup: refused,
    setProtection: refused,
    heartbeat: refused,
    completeAction: refused,
    terminateInstance: refused,
  }
  const store = await openFleetStore(':memory:')
  const fleet = startFleet({
    policies,
    awsOf: () => aws,
    nomad,
    store,
    clock,
    now: createSteadyTime(clock),
    random: systemRandom,
    log: silentLog,
    metrics: noMetrics,
    holder: 'bench',
    demand: NO_DEMAND,
  })
  // What is read once, after a start, is not part of a quiet minute.
  await clock.tick(60_000)
  calls = 0
  await clock.tick(MINUTES * 60_000)
  const perMinute = calls / MINUTES
  const closing = fleet.close()
  await clock.tick(10_000)
  await closing
  store.close()
  return perMinute
}

function aMachine(instanceId: string): AwsInstance {
  return {
    instanceId,
    state: 'running',
    launchedMs: 0,
    group: null,
    zone: 'a',
    privateIp: null,
    imageId: '',
    isSpot: false,
    hopLimit: 1,
    requiresTokens: true,
  }
}

function quietGroup(name: string, nomad: FakeNomad): AwsGroup {
  const template = { id: 'lt-1', version: '1' }
  const instances = Array.from({ length: NODES }, (_, at) => {
    const instanceId = `i-${name}-${at}`
    nomad.add({ instanceId })
    return {
      instanceId,
      group: name,
      zone: 'a',
      type: 'm5.4xlarge',
      lifecycle: 'InService',
      isHealthy: true,
      isProtected: false,
      template,
    }
  })
  return {
    name,
    min: NODES,
    max: NODES,
    desired: NODES,
    instances,
    suspended: [],
    status: null,
    protectsNew: false,
    template,
    maxLifetimeMs: null,
    hasWarmPool: false,
    rebalances: false,
    retains: false,
  }
}
