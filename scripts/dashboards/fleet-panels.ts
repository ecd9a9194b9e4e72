/** What stands on the dashboard of the fleet. */
import { byClass, IN_USE, type Dashboard } from './panel.ts'
import type { Asked } from './query.ts'

export const FLEET: Dashboard = {
  slug: 'fleet',
  title: 'Caravan: fleet',
  panels: [
    {
      title: 'Nodes',
      why: 'By status and drain, from one place: a node that is down can not tell so itself.',
      unit: 'short',
      stacked: true,
      lines: { nodes: { metric: 'circle.fleet.nodes', as: 'sum', by: ['status', 'drain'] } },
    },
    {
      title: 'Nodes that take work, by class',
      why: 'Status ready and not drained.',
      unit: 'short',
      stacked: true,
      lines: {
        nodes: { metric: 'circle.fleet.nodes', as: 'sum', by: ['node_class'], where: IN_USE },
      },
    },
    {
      title: 'Used',
      why: 'Of the nodes that take work. Needs --node-tag where many clients send to one receiver.',
      unit: 'percentunit',
      lines: { cpu: share('cpu'), memory: share('memory'), disk: share('disk') },
    },
    {
      title: 'Slices that would find a place',
      why: '0 means that the next slice of the class waits.',
      unit: 'short',
      lines: { places: byClass('circle.fleet.slots.available', 'min') },
    },
    {
      title: 'Largest free memory on one node',
      why: 'Much free room in small pieces holds no large slice.',
      unit: 'short',
      lines: {
        'MB, for slices': { metric: 'circle.fleet.free_slot.memory', as: 'max' },
        'MB, by node': {
          metric: 'circle.nomad.client_agent.resources.available.memory',
          as: 'max',
          by: ['node'],
          where: IN_USE,
        },
      },
    },
    {
      title: 'Given away beyond what there is',
      why: 'Above 0 a node has promised more than it has. Needs --overcommit.',
      unit: 'short',
      limit: 1,
      lines: {
        'cpu, MHz': { metric: 'circle.nomad.client_agent.resources.overcommit.cpu', as: 'max' },
        'memory, MB': {
          metric: 'circle.nomad.client_agent.resources.overcommit.memory',
          as: 'max',
        },
      },
    },
    {
      title: 'From placed to claimed',
      why: 'How long an agent takes to start on a node.',
      unit: 's',
      lines: { p95: byClass('circle.agent.registration.latency', 'p95') },
    },
    {
      title: 'Capacity',
      why: 'Told to have, and has. They differ while instances boot or drain.',
      unit: 'short',
      lines: {
        desired: { metric: 'circle.fleet.capacity.desired', as: 'max', by: ['pool'] },
        actual: { metric: 'circle.fleet.capacity.actual', as: 'max', by: ['pool'] },
      },
    },
    {
      title: 'Machines of the pools, by state',
      why: 'Idle ones cost, missing and unfit ones do not come to anything.',
      unit: 'short',
      stacked: true,
      lines: { machines: { metric: 'circle.fleet.units', as: 'max', by: ['pool', 'state'] } },
    },
    {
      title: 'Nodes added and removed',
      why: 'Both at once, again and again: idle_off is too short for how the work comes.',
      unit: 'ops',
      lines: { nodes: { metric: 'circle.fleet.scale', as: 'rate', by: ['pool', 'direction'] } },
    },
    {
      title: 'Terminations that wait for slices',
      why: 'Each holds a machine until its last slice is over.',
      unit: 'short',
      lines: { open: { metric: 'circle.fleet.hooks.open', as: 'max', by: ['pool'] } },
    },
    {
      title: 'Until the most urgent hook ends',
      why: 'Goes up with every heartbeat, and towards 0 while nobody beats.',
      unit: 's',
      lines: { margin: { metric: 'circle.fleet.hooks.margin', as: 'min', by: ['pool'] } },
    },
    {
      title: 'Alarms of the fleet',
      why: 'caravan fleet status says which.',
      unit: 'short',
      limit: 1,
      lines: { alarms: { metric: 'circle.fleet.alarms', as: 'max', by: ['pool'] } },
    },
    {
      title: 'Controllers that act',
      why: '1, whatever number of them waits. No line at all: none runs.',
      unit: 'short',
      lines: { active: { metric: 'circle.fleet.active', as: 'sum' } },
    },
    {
      title: 'Decisions of the fleet',
      why: 'How long one takes.',
      unit: 's',
      lines: { p99: { metric: 'circle.fleet.decision.duration', as: 'p99' } },
    },
  ],
}

function share(dimension: 'cpu' | 'memory' | 'disk'): Asked {
  return {
    share: {
      metric: `circle.nomad.client_agent.resources.used.${dimension}`,
      as: 'sum',
      where: IN_USE,
    },
    of: {
      metric: `circle.nomad.client_agent.resources.total.${dimension}`,
      as: 'sum',
      where: IN_USE,
    },
  }
}
