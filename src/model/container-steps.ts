/** The steps that a job in containers has beside its own, so that what happens to them is seen in its place. */
import type { JobSpec, StepSpec } from './job-spec.ts'

/** A job on the machine itself is returned as it is. */
export function withContainerSteps(job: JobSpec): JobSpec {
  if (job.executor.kind !== 'docker') return job
  const services = job.executor.containers.slice(1)
  const added: StepSpec[] = [
    { kind: 'environment', name: 'Spin up environment' },
    ...services.map((service, index) => ({
      kind: 'service' as const,
      name: `Service ${service.name ?? service.image}`,
      container: index + 1,
    })),
  ]
  return { ...job, steps: [...added, ...job.steps] }
}
