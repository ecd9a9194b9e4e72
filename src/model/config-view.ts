/** What `caravan config check` and `caravan config expand` print for scripts. */
import { z } from 'zod'
import { jobSpec } from './job-spec.ts'

const problem = z.object({
  file: z.string(),
  /** From 1, as the column. */
  line: z.number().int(),
  column: z.number().int().optional(),
  path: z.string().optional(),
  message: z.string(),
})

export const configCheck = z.object({
  file: z.string(),
  /** Of the file itself: with one of these no job is looked at. */
  problems: z.array(problem),
  jobs: z.array(
    z.object({
      name: z.string(),
      can_run: z.boolean(),
      problems: z.array(problem),
      warnings: z.array(problem),
    }),
  ),
})
export type ConfigCheck = z.infer<typeof configCheck>

export const configExpansion = z.object({
  file: z.string(),
  /** Those that can run; a password that stands in the file is left out. */
  jobs: z.array(jobSpec),
  /** Why the others can not. */
  problems: z.array(problem),
})
export type ConfigExpansion = z.infer<typeof configExpansion>
