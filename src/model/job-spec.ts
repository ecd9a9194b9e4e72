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

/** When a step runs, seen from the steps before it. */
export const stepWhen = z.enum(['on_success', 'always', 'on_fail'])

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
  no_output_timeout_ms: z.number().int().positive(),
  background: z.boolean().default(false),
})

const checkoutStep = z.object({
  kind: z.literal('checkout'),
  name: z.string(),
  /** Where to; the job's working directory when absent. */
  path: z.string().optional(),
})

export const stepSpec = z.discriminatedUnion('kind', [runStep, checkoutStep])
export type StepSpec = z.infer<typeof stepSpec>
export type RunStep = z.infer<typeof runStep>
export type CheckoutStep = z.infer<typeof checkoutStep>

export const jobSpec = z.object({
  name: z.string(),
  executor: z.object({ kind: z.literal('machine') }),
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
