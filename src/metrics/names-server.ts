/** What the server sends. */
import { rowsBy, type MetricRow } from './metric-row.ts'

const of = rowsBy('server')

const CLASS = ['resource_class'] as const

export const SERVER_METRICS = {
  'circle.run-queue.latency': of(
    'timer',
    'milliseconds',
    'from ready to run until an agent accepted the slice',
  ),
  'circle.build-queue.runnable.builds': of(
    'gauge',
    'builds',
    'builds with a slice that could run and waits for a place',
  ),
  'circle.dispatcher.find-containers-failed': of(
    'count',
    'events',
    'slices that could not be submitted, or that no node could ever hold',
  ),
  'circle.backend.action.upload-artifact-error': of(
    'count',
    'events',
    'uploads of sources or step output that failed on the server',
  ),
  'circle.http.request': of('timer', 'milliseconds', 'requests answered by the API', [
    'method',
    'status',
  ]),
  'circle.scheduler.queue.depth': of(
    'gauge',
    'slices',
    'slices that wait, submitted ones without an agent included',
    CLASS,
  ),
  'circle.scheduler.queue.oldest_age': of(
    'gauge',
    'seconds',
    'how long the oldest of them has waited; 0 when none does',
    CLASS,
  ),
  'circle.scheduler.queue.latency': of(
    'distribution',
    'seconds',
    'from ready to run until an agent accepted the slice',
    CLASS,
  ),
  'circle.scheduler.queue.exceeded': of(
    'count',
    'slices',
    'of those started, the ones that waited longer than promised: 1 s, or 10 s for expensive classes',
    CLASS,
  ),
  'circle.scheduler.slices.started': of('count', 'slices', 'slices that an agent accepted', CLASS),
  'circle.scheduler.slices.retried': of(
    'count',
    'slices',
    'attempts that failed by the infrastructure and were begun again',
    ['reason'],
  ),
  'circle.scheduler.loop.lag': of(
    'gauge',
    'seconds',
    'how late the event loop of the server was at worst since the last reading',
  ),
  'circle.scheduler.faults': of(
    'gauge',
    'events',
    'things that keep builds from going on, as /readyz lists them',
  ),
  'circle.slice.duration': of('distribution', 'seconds', 'from accepted to the result', [
    'result',
    'resource_class',
  ]),
  'circle.slice.running': of(
    'gauge',
    'slices',
    'slices whose agent has accepted and not ended',
    CLASS,
  ),
  'circle.slice.running_age': of(
    'gauge',
    'seconds',
    'how long the longest of them has run; 0 when none does',
    CLASS,
  ),
  'circle.slice.placement.latency': of(
    'distribution',
    'seconds',
    'from registered with Nomad to placed on a node',
    CLASS,
  ),
  'circle.agent.registration.latency': of(
    'distribution',
    'seconds',
    'from placed to claimed by its agent',
    CLASS,
  ),
  'circle.system.errors': of(
    'count',
    'events',
    'slices and attempts that the infrastructure failed, apart from what users did wrong',
    ['reason'],
  ),
  'circle.fleet.slots.available': of(
    'gauge',
    'slices',
    'slices of the class that would find a place now',
    CLASS,
  ),
  'circle.fleet.free_slot.cpu': of('gauge', 'MHz', 'the most that one node has free for slices'),
  'circle.fleet.free_slot.memory': of('gauge', 'MB', 'the most that one node has free for slices'),
  'circle.agent.output.bytes': of(
    'count',
    'bytes',
    'masked output that finished steps have, as their agents tell',
  ),
  'circle.agent.spool.peak': of(
    'distribution',
    'bytes',
    'the most output of a slice that waited on its node for the server, as its agent tells',
  ),
  'circle.output.bytes': of('count', 'bytes', 'output of steps taken from agents'),
} as const satisfies Record<string, MetricRow>
