/**
 * A job after compilation: what a `.circleci/config.yml` job means, with every default filled in.
 *
 * Keys that come from the configuration keep its spelling, on the wire and in the store alike.
 */
import { z } from 'zod'

/** Names that a shell can hold. */
export const environmentName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/)

/** Values are literal: nothing in them is ever expanded. */
export const environment = z.record(
  environmentName,
  z.string().refine((value) => !value.includes('\0'), 'holds a NUL byte'),
)

/**
 * When a step runs, seen from the steps before it. `on_cancel` alone runs after the job was canceled, and
 * only then.
 */
export const stepWhen = z.enum(['on_success', 'always', 'on_fail', 'on_cancel'])

/** What people use of it is some minutes; the delay counts against the time of the job. */
export const AUTO_RERUNS_MAX = 5
export const AUTO_RERUN_DELAY_MAX_MS = 600_000

const runStep = z.object({
  kind: z.literal('run'),
  name: z.string(),
  command: z.string(),
  /** Overrides the job's shell; split into words without expansion. */
  shell: z.string().optional(),
  environment: environment.default({}),
  /** Relative to the job's. */
  working_directory: z.string().optional(),
  when: stepWhen.default('on_success'),
  /** Absent: the step may be silent for ever, as one in the background. */
  no_output_timeout_ms: z.number().int().positive().optional(),
  background: z.boolean().default(false),
  /** How often the whole step is run again as long as it fails. */
  max_auto_reruns: z.number().int().min(1).max(AUTO_RERUNS_MAX).optional(),
  auto_rerun_delay_ms: z.number().int().min(0).max(AUTO_RERUN_DELAY_MAX_MS).optional(),
})

const checkoutStep = z.object({
  kind: z.literal('checkout'),
  name: z.string(),
  /** Where to; the job's working directory when absent. */
  path: z.string().optional(),
})

/** Makes ready the containers of the job. Stands before all others. */
const environmentStep = z.object({ kind: z.literal('environment'), name: z.string() })

/** Shows what a service writes, for as long as the job runs. */
const serviceStep = z.object({
  kind: z.literal('service'),
  name: z.string(),
  /** Index in the containers of the executor. */
  container: z.number().int().min(1),
})

export const stepSpec = z.discriminatedUnion('kind', [
  runStep,
  checkoutStep,
  environmentStep,
  serviceStep,
])
export type StepSpec = z.infer<typeof stepSpec>
export type RunStep = z.infer<typeof runStep>
export type CheckoutStep = z.infer<typeof checkoutStep>

/** More share one memory and one network without sense; ten are the most seen in public. */
export const CONTAINERS_MAX = 32

/** A name that other containers of the job can reach this one by: a host name of RFC 1123. */
export const containerName = z
  .string()
  .max(253)
  .regex(
    /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/,
  )

/**
 * How to log in to the registry of an image. A value that is `$NAME` or `${NAME}` as a whole stands for that
 * variable of the task's environment, and is looked up by whoever pulls; any other is the value itself.
 */
export const registryAuth = z.object({ username: z.string().min(1), password: z.string().min(1) })
export type RegistryAuth = z.infer<typeof registryAuth>

/** @returns the name in `$NAME` or `${NAME}`; null when the text is no such reference. */
export function toVariableName(text: string): string | null {
  const [, bare, braced] = /^\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})$/.exec(text) ?? []
  return bare ?? braced ?? null
}

export const containerSpec = z.object({
  /** As written, such as `cimg/node:22.1` or `registry.example.org/app@sha256:...`. */
  image: z.string().min(1),
  name: containerName.optional(),
  /** Words, already split; those of the image when absent, and none at all when empty. */
  entrypoint: z.array(z.string()).optional(),
  command: z.array(z.string()).optional(),
  /** Name or number of a user, with `:group` or without; that of the image when absent. */
  user: z.string().min(1).optional(),
  environment: environment.default({}),
  auth: registryAuth.optional(),
})
export type ContainerSpec = z.infer<typeof containerSpec>

/** Where the steps of a job run. */
export const executorSpec = z.discriminatedUnion('kind', [
  /** On the Nomad client itself. */
  z.object({ kind: z.literal('machine') }),
  /** The steps run in the first container; the others are services beside it. */
  z.object({
    kind: z.literal('docker'),
    containers: z.array(containerSpec).min(1).max(CONTAINERS_MAX),
  }),
])
export type ExecutorSpec = z.infer<typeof executorSpec>

export const jobSpec = z.object({
  name: z.string(),
  executor: executorSpec,
  resource_class: z.string(),
  parallelism: z.number().int().min(1).max(1000),
  environment,
  working_directory: z.string(),
  shell: z.string().optional(),
  steps: z.array(stepSpec).min(1),
})
export type JobSpec = z.infer<typeof jobSpec>

/** Where `checkout` takes the source from. */
export const source = z.discriminatedUnion('kind', [
  /** A git bundle that the caller uploaded; `id` is the SHA-256 of its bytes. */
  z.object({ kind: z.literal('bundle'), id: z.string().regex(/^[0-9a-f]{64}$/) }),
  z.object({ kind: z.literal('git'), url: z.string().min(1) }),
  z.object({ kind: z.literal('none') }),
])
export type Source = z.infer<typeof source>
