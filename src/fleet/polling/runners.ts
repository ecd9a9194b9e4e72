/**
 * The size of a group of machines that poll for their work: as many as tasks wait and run, up to a limit.
 *
 * Each of them takes one task, ends itself after it or after some idle time, and is protected from
 * scale-in: a smaller desired size takes nothing away from anybody.
 */
import { z } from 'zod'
import { CaravanError, type RunnerTick } from '../../model/index.ts'
import type { AwsRegion, HttpClient } from '../../platform/index.ts'

export interface RunnerGroup {
  group: string
  /** Of machines. */
  max: number
  /** `namespace/name`. */
  resourceClass: string
  /** A personal token: those of machines may not look at the queue. */
  token: string
}

type Counts = Pick<RunnerTick, 'unclaimed' | 'running' | 'max'>

/** Everything that is not over needs a machine: those that run have theirs already. Pure. */
export function desiredOf({ unclaimed, running, max }: Counts): number {
  return Math.min(unclaimed + running, max)
}

const count = z.number().int().min(0)
const waitingAnswer = z.object({ unclaimed_task_count: count })
const runningAnswer = z.object({ running_runner_tasks: count })

/** A function that runs every minute has to be over before the next one. */
const TIMEOUT_MS = 10_000
const BYTES_MAX = 64 * 1024

/**
 * Two questions, one answer. Nothing is changed when one of them fails: a group that is too large for a
 * minute costs less than one that shrinks because nobody answered.
 *
 * @throws CaravanError SERVER_UNREACHABLE, SERVER_ERROR or what AWS says.
 */
export async function tickRunners(
  { http, aws }: { http: HttpClient; aws: Pick<AwsRegion, 'updateGroup'> },
  runners: RunnerGroup,
  { dryRun }: { dryRun: boolean },
): Promise<RunnerTick> {
  const { group, max } = runners
  const [waiting, busy] = await Promise.all([
    ask(http, '/api/v2/tasks', runners, waitingAnswer),
    ask(http, '/api/v2/tasks/running', runners, runningAnswer),
  ])
  const [unclaimed, running] = [waiting.unclaimed_task_count, busy.running_runner_tasks]
  const desired = desiredOf({ unclaimed, running, max })
  if (!dryRun) await aws.updateGroup(group, { min: 0, max, desired })
  return { group, unclaimed, running, max, desired, dry_run: dryRun }
}

async function ask<Answer>(
  http: HttpClient,
  path: string,
  { resourceClass, token }: RunnerGroup,
  schema: z.ZodType<Answer>,
): Promise<Answer> {
  const response = await http
    .request({
      method: 'GET',
      path,
      query: { 'resource-class': resourceClass },
      headers: { 'circle-token': token },
      timeoutMs: TIMEOUT_MS,
      bytesMax: BYTES_MAX,
    })
    .catch((cause: unknown) => {
      throw new CaravanError('SERVER_UNREACHABLE', `the runner API does not answer at ${path}`, {
        cause,
      })
    })
  if (response.status === 401 || response.status === 403) {
    const message = `the runner API refused the token (${response.status}): it takes a personal token`
    throw new CaravanError('SERVER_ERROR', message)
  }
  if (response.status !== 200) {
    throw new CaravanError(
      'SERVER_ERROR',
      `the runner API answered ${path} with ${response.status}`,
    )
  }
  const answer = schema.safeParse(readJson(response.text()))
  if (answer.success) return answer.data
  const message = `the runner API answered ${path} with something else than a number of tasks`
  throw new CaravanError('SERVER_ERROR', message, { cause: answer.error })
}

/** What is no JSON is no answer, too. */
function readJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}
