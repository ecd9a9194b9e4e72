/** Machines: reading them, and ending them behind the back of their group. */
import { z } from 'zod'
import { checkLater } from '../../core/health.ts'
import { REASONS, haltMachine, startMachine } from '../../core/machines.ts'
import type { MachineState } from '../../core/states.ts'
import type { Machine, World } from '../../core/world.ts'
import { define } from '../action.ts'
import type { Actions } from '../action.ts'
import { byKey, page } from '../paging.ts'
import { filters, flag, instanceId, integer, list, text } from '../parameters.ts'
import type { Filters } from '../parameters.ts'
import { Refusal } from '../refusal.ts'
import { toFilter } from './filter.ts'
import { findMachines, isVisible } from './find.ts'
import { toMachineView, toStateView } from './views.ts'

const PAGE_MAX = 1000

const reading = {
  InstanceIds: list(instanceId).optional(),
  Filters: filters.optional(),
  MaxResults: integer(5, PAGE_MAX).optional(),
  NextToken: text().optional(),
  DryRun: flag.optional(),
  IncludeManagedResources: flag.optional(),
}

const ids = {
  InstanceIds: list(instanceId),
  DryRun: flag.optional(),
  Force: flag.optional(),
  Hibernate: flag.optional(),
  SkipOsShutdown: flag.optional(),
}

export const INSTANCE_ACTIONS: Actions = {
  DescribeInstances: define(z.strictObject(reading), (world, input) => {
    const { items, next } = pick(world, input)
    return {
      Reservations: items.map((machine) => ({
        ReservationId: machine.reservationId,
        OwnerId: world.settings.accountId,
        Groups: [],
        Instances: [toMachineView(world, machine)],
      })),
      NextToken: next,
    }
  }),

  DescribeInstanceStatus: define(
    z.strictObject({ ...reading, IncludeAllInstances: flag.default(false) }),
    (world, { IncludeAllInstances, ...input }) => {
      const { items, next } = pick(world, input, (machine) => {
        return IncludeAllInstances || machine.state.value === 'running'
      })
      return { InstanceStatuses: items.map(toStatusView), NextToken: next }
    },
  ),

  TerminateInstances: define(z.strictObject(ids), (world, { InstanceIds, DryRun }) => {
    const machines = findMachines(world, InstanceIds)
    refuseDryRun(DryRun)
    const locked = machines.find(({ isTerminationDisabled }) => isTerminationDisabled)
    if (locked !== undefined) {
      const message = `The instance '${locked.id}' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again.`
      throw new Refusal('OperationNotPermitted', message)
    }
    return { TerminatingInstances: machines.map((each) => halt(world, each, 'terminated')) }
  }),

  StopInstances: define(z.strictObject(ids), (world, { InstanceIds, DryRun }) => {
    const machines = findMachines(world, InstanceIds)
    refuseDryRun(DryRun)
    requireNotGone(machines, 'stopped')
    return { StoppingInstances: machines.map((each) => halt(world, each, 'stopped')) }
  }),

  StartInstances: define(
    z.strictObject({ InstanceIds: list(instanceId), DryRun: flag.optional() }),
    (world, { InstanceIds, DryRun }) => {
      const machines = findMachines(world, InstanceIds)
      refuseDryRun(DryRun)
      requireNotGone(machines, 'started')
      return {
        StartingInstances: machines.map((machine) => {
          const before = machine.state.value
          if (before === 'stopped') startMachine(world, machine)
          return toChange(machine, before)
        }),
      }
    },
  ),
}

interface Reading {
  InstanceIds?: string[] | undefined
  Filters?: Filters | undefined
  MaxResults?: number | undefined
  NextToken?: string | undefined
  DryRun?: boolean | undefined
}

function pick(world: World, input: Reading, keep: (machine: Machine) => boolean = () => true) {
  refuseDryRun(input.DryRun)
  const named = input.InstanceIds?.length ? input.InstanceIds : null
  if (named !== null && input.MaxResults !== undefined) {
    const message = 'The parameter instancesSet cannot be used with the parameter maxResults'
    throw new Refusal('InvalidParameterCombination', message)
  }
  const all =
    named === null
      ? candidates(world, input.Filters ?? []).filter((machine) => isVisible(world, machine))
      : findMachines(world, named)
  const fits = toFilter(world, input.Filters ?? [])
  const found = all.filter((each) => keep(each) && fits(each))
  return page(
    byKey(found, ({ id }) => id),
    ({ id }) => id,
    {
      size: input.MaxResults ?? PAGE_MAX,
      token: input.NextToken,
      fault: 'InvalidNextToken',
    },
  )
}

/** A filter of ids, which may be one of thousands of machines, is no reason to look at all of them. */
function candidates(world: World, wanted: Filters): Machine[] {
  const byId = wanted.find(({ Name }) => Name === 'instance-id')
  if (byId === undefined || byId.Values.some((value) => /[*?]/.test(value))) {
    return [...world.machines.values()]
  }
  return [...new Set(byId.Values)].flatMap((id) => world.machines.get(id) ?? [])
}

function refuseDryRun(isDryRun: boolean | undefined): void {
  if (isDryRun !== true) return
  const message = 'Request would have succeeded, but DryRun flag is set.'
  throw new Refusal('DryRunOperation', message)
}

function requireNotGone(machines: readonly Machine[], what: string): void {
  const gone = machines.find(({ state }) => ['terminated', 'shutting-down'].includes(state.value))
  if (gone === undefined) return
  const message = `The instance '${gone.id}' is not in a state from which it can be ${what}.`
  throw new Refusal('IncorrectInstanceState', message)
}

function halt(world: World, machine: Machine, to: 'terminated' | 'stopped') {
  const before = machine.state.value
  haltMachine(world, machine, to, REASONS.user)
  checkLater(world, machine.id)
  return toChange(machine, before)
}

function toChange(machine: Machine, before: MachineState) {
  return {
    InstanceId: machine.id,
    CurrentState: toStateView(machine.state.value),
    PreviousState: toStateView(before),
  }
}

function toStatusView(machine: Machine) {
  const isRunning = machine.state.value === 'running'
  const check = (passed: boolean) => ({
    Status: isRunning ? (passed ? 'ok' : 'initializing') : 'not-applicable',
    Details: isRunning
      ? [{ Name: 'reachability', Status: passed ? 'passed' : 'initializing' }]
      : undefined,
  })
  return {
    InstanceId: machine.id,
    AvailabilityZone: machine.zone,
    InstanceState: toStateView(machine.state.value),
    SystemStatus: check(true),
    InstanceStatus: check(machine.isBooted),
  }
}
