/** A Nomad batch job that only takes time, for the cluster of a rehearsal. */
import type { NomadJob } from '../../../nomad/index.ts'
import type { RehearsalJob } from './player.ts'

/** Nothing is tried again: what a rehearsal loses should be seen as lost. */
const NO_RETRY = {
  RestartPolicy: { Attempts: 0, Interval: 300_000_000_000, Delay: 1_000_000_000, Mode: 'fail' },
  ReschedulePolicy: { Attempts: 0, Unlimited: false },
}

export function toNomadJob(job: RehearsalJob): NomadJob {
  return {
    ID: job.name,
    Name: job.name,
    Type: 'batch',
    Datacenters: ['*'],
    TaskGroups: [
      {
        Name: 'slice',
        Count: job.count,
        ...NO_RETRY,
        Tasks: [
          {
            Name: 'build-agent',
            Driver: 'mock_driver',
            Config: { run_for: `${job.runMs}ms` },
            Resources: { CPU: job.cpuMhz, MemoryMB: job.memoryMiB },
          },
        ],
      },
    ],
  }
}
