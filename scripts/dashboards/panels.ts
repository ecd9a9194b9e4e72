/** What stands on the dashboards, row by row. */
import { FLEET } from './fleet-panels.ts'
import { byClass, type Dashboard } from './panel.ts'

const OVERVIEW: Dashboard = {
  slug: 'overview',
  title: 'Caravan: overview',
  panels: [
    {
      title: 'Polls that fail',
      why: '1 while nomad-metrics can not read Nomad. No line at all: it does not run.',
      unit: 'short',
      limit: 1,
      lines: {
        server: { metric: 'circle.nomad.server_agent.poll_failure', as: 'max' },
        clients: { metric: 'circle.nomad.client_agent.poll_failure', as: 'max' },
        fleet: { metric: 'circle.nomad.fleet.poll_failure', as: 'max' },
      },
    },
    {
      title: 'Nomad jobs',
      why: 'All jobs of the cluster, those of other tools included.',
      unit: 'short',
      stacked: true,
      lines: {
        pending: { metric: 'circle.nomad.server_agent.jobs.pending', as: 'max' },
        running: { metric: 'circle.nomad.server_agent.jobs.running', as: 'max' },
      },
    },
    {
      title: 'Slices that wait',
      why: 'Grows while there is too little room for the class.',
      unit: 'short',
      stacked: true,
      lines: { waiting: byClass('circle.scheduler.queue.depth', 'max') },
    },
    {
      title: 'Oldest wait',
      why: 'Shows a wait while it lasts; over five minutes it is an alert.',
      unit: 's',
      limit: 300,
      lines: { oldest: byClass('circle.scheduler.queue.oldest_age', 'max') },
    },
    {
      title: 'Wait before the start',
      why: 'The promise is 1 s for ordinary classes and 10 s for expensive ones.',
      unit: 's',
      lines: {
        p50: byClass('circle.scheduler.queue.latency', 'p50'),
        p95: byClass('circle.scheduler.queue.latency', 'p95'),
        p99: byClass('circle.scheduler.queue.latency', 'p99'),
      },
    },
    {
      title: 'Slices that waited longer than promised',
      why: 'The share of those started. Over 5 % is an alert.',
      unit: 'percentunit',
      limit: 0.05,
      lines: {
        share: {
          share: byClass('circle.scheduler.queue.exceeded', 'rate'),
          of: byClass('circle.scheduler.slices.started', 'rate'),
        },
      },
    },
    {
      title: 'Duration of slices',
      why: 'Nineteen of twenty took no longer, by result.',
      unit: 's',
      lines: { p95: { metric: 'circle.slice.duration', as: 'p95', by: ['result'] } },
    },
    {
      title: 'Slices that run',
      why: 'What is under way now.',
      unit: 'short',
      stacked: true,
      lines: { running: byClass('circle.slice.running', 'max') },
    },
    {
      title: 'Longest still running',
      why: 'One that is far above the rest may hang.',
      unit: 's',
      lines: { longest: byClass('circle.slice.running_age', 'max') },
    },
  ],
}

const CONTROL_PLANE: Dashboard = {
  slug: 'control-plane',
  title: 'Caravan: control plane',
  panels: [
    {
      title: 'Infrastructure errors',
      why: 'Apart from what users did wrong, by reason.',
      unit: 'ops',
      stacked: true,
      lines: { errors: { metric: 'circle.system.errors', as: 'rate', by: ['reason'] } },
    },
    {
      title: 'Attempts that began again',
      why: 'Failed by the infrastructure and tried on another node.',
      unit: 'ops',
      stacked: true,
      lines: { retried: { metric: 'circle.scheduler.slices.retried', as: 'rate', by: ['reason'] } },
    },
    {
      title: 'Faults',
      why: 'What keeps builds from going on, as /readyz lists it.',
      unit: 'short',
      limit: 1,
      lines: { faults: { metric: 'circle.scheduler.faults', as: 'max' } },
    },
    {
      title: 'Loop lag',
      why: 'How late the server was at worst.',
      unit: 's',
      limit: 1,
      lines: { lag: { metric: 'circle.scheduler.loop.lag', as: 'max' } },
    },
    {
      title: 'From registered to placed',
      why: "Nomad's part of the wait.",
      unit: 's',
      lines: { p95: byClass('circle.slice.placement.latency', 'p95') },
    },
    {
      title: 'Starts',
      why: 'Slices per second that an agent accepted.',
      unit: 'ops',
      lines: { slices: byClass('circle.scheduler.slices.started', 'rate') },
    },
    {
      title: 'Output',
      why: 'Taken from agents.',
      unit: 'Bps',
      lines: { output: { metric: 'circle.output.bytes', as: 'rate' } },
    },
    {
      title: "Nomad's queues",
      why: 'Blocked evaluations wait for room; the plan queue is short on a healthy leader.',
      unit: 'short',
      lines: {
        blocked: { metric: 'nomad.nomad.blocked_evals.total_blocked', as: 'max' },
        unacked: { metric: 'nomad.nomad.broker.total_unacked', as: 'max' },
        plans: { metric: 'nomad.nomad.plan.queue_depth', as: 'max' },
      },
    },
    {
      title: 'Last contact of the leader',
      why: 'Well below 500 ms, or leadership is about to change.',
      unit: 'ms',
      limit: 200,
      lines: { contact: { metric: 'nomad.raft.leader.lastContact', as: 'max' } },
    },
    {
      title: 'Polls of nomad-metrics',
      why: 'With --reporter-metrics.',
      unit: 's',
      lines: { longest: { metric: 'circle.reporter.poll.duration', as: 'max', by: ['mode'] } },
    },
    {
      title: 'Lost by nomad-metrics',
      why: 'Lines dropped and polls left out since the start, with --reporter-metrics.',
      unit: 'short',
      lines: {
        dropped: { metric: 'circle.reporter.lines.dropped', as: 'max' },
        skipped: { metric: 'circle.reporter.polls.skipped', as: 'max', by: ['mode'] },
      },
    },
  ],
}

export const DASHBOARDS: readonly Dashboard[] = [OVERVIEW, FLEET, CONTROL_PLANE]
