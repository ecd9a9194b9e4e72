/**
 * Time: takes what is due from the agenda, one after the other, and lets it happen at its own moment.
 *
 * With one call per hour or one per millisecond the world comes out the same.
 */
import type { Due } from './agenda.ts'
import { checkLater, recheck } from './health.ts'
import { enterService, passLaunch } from './launch.ts'
import { boot, finishHalt, setMachineState } from './machines.ts'
import { runScheduled } from './scheduled.ts'
import { settleGroup } from './settle.ts'
import { interrupt } from './spot.ts'
import { enterStandby } from './standby.ts'
import { stepRefresh } from './refresh.ts'
import { noteMachineEnded, passTermination } from './terminate.ts'
import { expireAction } from './waits.ts'
import { passWarmLaunch, rest } from './warm-pool.ts'
import { memberOf } from './world.ts'
import type { Group, Machine, Member, World } from './world.ts'
import { rebalanceZones } from './zones.ts'
import { expireMember } from './lifetime.ts'

/** So many entries at one moment are a loop, not a region. */
const SAME_MOMENT_MAX = 1_000_000

/** @throws Error when the world does not come to rest: a fault of the emulator. */
export function advance(world: World, now: number): void {
  let atOnce = 0
  for (let next = world.agenda.take(now); next !== null; next = world.agenda.take(now)) {
    atOnce = next.at > world.now ? 0 : atOnce + 1
    if (atOnce > SAME_MOMENT_MAX) throw new Error('the emulated region does not come to rest')
    world.now = Math.max(world.now, next.at)
    happen(world, next.due)
  }
  world.now = Math.max(world.now, now)
}

function happen(world: World, due: Due): void {
  if ('group' in due && due.kind !== 'member-forgotten') {
    const group = world.groups.get(due.group)
    if (group !== undefined) happenToGroup(world, group, due)
    return
  }
  if (!('instance' in due)) return
  const machine = world.machines.get(due.instance)
  if (due.kind === 'member-forgotten') world.groups.get(due.group)?.departed.delete(due.instance)
  else if (machine !== undefined) happenToMachine(world, machine, due)
}

type GroupDue = Extract<
  Due,
  { kind: `group-${string}` | `zones-${string}` | 'scheduled-action' | 'refresh-step' }
>
type MachineDue = Exclude<Due, GroupDue | { kind: 'member-forgotten' }>

function happenToGroup(world: World, group: Group, due: GroupDue): void {
  switch (due.kind) {
    case 'group-settles':
      return settleGroup(world, group)
    case 'zones-rebalance':
      return rebalanceZones(world, group)
    case 'scheduled-action':
      return runScheduled(world, group, due)
    case 'refresh-step':
      return stepRefresh(world, group, due.refresh)
  }
}

function happenToMachine(world: World, machine: Machine, due: MachineDue): void {
  const member = memberOf(world, machine.id)
  switch (due.kind) {
    case 'machine-running':
      return startedRunning(world, machine, member)
    case 'machine-booted':
      return void boot(world, machine, due.launchedAt)
    case 'machine-halted':
      return halted(world, machine, member)
    case 'machine-forgotten':
      return void world.machines.delete(machine.id)
    case 'spot-interruption':
      return interrupt(world, machine)
  }
  if (member === undefined) return
  switch (due.kind) {
    case 'action-expires':
      return expireAction(world, member.group, due.token)
    case 'health-check':
      return recheck(world, member)
    case 'member-expires':
      return member.step === due.step ? expireMember(world, member) : undefined
    case 'member-proceeds':
      return member.step === due.step ? proceed(world, member) : undefined
  }
}

function startedRunning(world: World, machine: Machine, member: Member | undefined): void {
  if (machine.state.value !== 'pending') return
  setMachineState(world, machine, 'running')
  if (member?.state.value === 'Pending') passLaunch(world, member)
  if (member?.state.value === 'Warmed:Pending') passWarmLaunch(world, member)
}

function halted(world: World, machine: Machine, member: Member | undefined): void {
  if (machine.state.value !== 'shutting-down' && machine.state.value !== 'stopping') return
  finishHalt(world, machine)
  if (member === undefined) return
  noteMachineEnded(world, member)
  checkLater(world, machine.id)
}

/** A state that is only passed through is over. */
function proceed(world: World, member: Member): void {
  switch (member.state.value) {
    case 'Pending':
      return member.machine.state.value === 'running' ? passLaunch(world, member) : undefined
    case 'Pending:Proceed':
      return enterService(world, member)
    case 'Terminating':
    case 'Warmed:Terminating':
      return passTermination(world, member)
    case 'Warmed:Pending:Proceed':
      return rest(world, member)
    case 'EnteringStandby':
      return enterStandby(world, member)
    default:
      return undefined
  }
}
