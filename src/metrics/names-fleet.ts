/** What the controller of the fleet sends. */
import { rowsBy, type MetricRow } from './metric-row.ts'

const of = rowsBy('fleet')

const POOL = ['pool'] as const

export const FLEET_METRICS = {
  'circle.fleet.active': of(
    'gauge',
    '0 or 1',
    '1 on the controller that acts, 0 on those that wait',
  ),
  'circle.fleet.capacity.desired': of('gauge', 'nodes', 'what the group is told to have', POOL),
  'circle.fleet.capacity.actual': of('gauge', 'nodes', 'what the group has', POOL),
  'circle.fleet.units': of('gauge', 'nodes', 'machines of the pool, by what they count as', [
    'pool',
    'state',
  ]),
  'circle.fleet.scale': of('count', 'nodes', 'nodes added or removed', ['pool', 'direction']),
  'circle.fleet.hooks.open': of('gauge', 'nodes', 'nodes whose termination waits for slices', POOL),
  'circle.fleet.hooks.margin': of(
    'gauge',
    'seconds',
    'of the waiting nodes, how long the most urgent hook still waits; nothing without one',
    POOL,
  ),
  'circle.fleet.alarms': of('gauge', 'events', 'what somebody has to look at', POOL),
  'circle.fleet.decision.duration': of('distribution', 'seconds', 'how long a decision took'),
  'circle.fleet.drain.duration': of(
    'distribution',
    'seconds',
    'from the hook to the last slice gone',
    POOL,
  ),
  'circle.fleet.hooks.abandoned': of(
    'count',
    'nodes',
    'nodes that ended before their slices did',
    POOL,
  ),
} as const satisfies Record<string, MetricRow>
