/** The agent as a whole: claim a slice, run it, tell how it ended. */
import { AGENT_EXIT } from '../model/index.ts'
import { claimSlice } from './claim.ts'
import { Ending } from './ending.ts'
import type { Executor } from './executors/executor.ts'
import { createHostExecutor } from './executors/host.ts'
import type { AgentOptions } from './ports.ts'
import { makePipes, PIPES_AHEAD } from './process/pipe.ts'
import { createAgentServer } from './server.ts'
import { writeShims } from './shims.ts'
import { SignalPlan } from './signals.ts'
import { type AgentTimings, TIMINGS } from './timings.ts'
import { createFolders, type Folders, removeInternal, removeSpool, toFolders } from './workspace.ts'

/**
 * Runs one slice from its claim to its end.
 *
 * @returns one of AGENT_EXIT. Never throws: whatever goes wrong is logged and has its exit code.
 */
export async function runAgent(given: AgentOptions): Promise<number> {
  const options = { ...given, timings: { ...TIMINGS, ...given.timings } }
  const { clock, log, server: place, allocation } = options
  log.info('agent started', { slice: place.slice, epoch: place.epoch, allocation: allocation.id })
  const ending = new Ending()
  const plan = new SignalPlan({ ...options, ending })
  const server = createAgentServer({ ...place, clock })
  let isAccepted = false
  try {
    // The machine is made ready while the claim is on its way; failing at it is told after the claim.
    const [claimed, { runSlice }, ready] = await Promise.all([
      claimSlice(options, server, plan.arrived),
      // Half of the agent's code is for what comes after the claim.
      import('./slice.ts'),
      prepare(options).then(
        (machine) => ({ ok: true as const, machine }),
        (cause: unknown) => ({ ok: false as const, cause }),
      ),
    ])
    if (!claimed.ok) {
      if (ready.ok) await clearAway(ready.machine)
      return claimed.exitCode
    }
    if (!ready.ok) throw ready.cause
    const { claim } = claimed
    const { build, slice, steps } = claim.task
    log.info('slice claimed', {
      build: build.number,
      job: build.job,
      slice: slice.index,
      of: slice.total,
      steps: steps.length,
    })
    const calls = server.open(claim.session)
    const onAccepted = () => (isAccepted = true)
    return await runSlice({ options, claim, calls, ending, plan, onAccepted, ...ready.machine })
  } catch (cause) {
    log.error('the agent failed', { cause })
    return isAccepted ? AGENT_EXIT.afterAccept : AGENT_EXIT.beforeAccept
  } finally {
    plan.close()
    await server.close()
  }
}

interface Machine {
  folders: Folders
  executor: Executor
  name: string
}

async function prepare(options: AgentOptions & { timings: AgentTimings }): Promise<Machine> {
  const { allocation, server, random, runtime, environment: inherited } = options
  // A second process in the same allocation must not touch what the first has left.
  const name = `epoch-${server.epoch}-${Buffer.from(random.bytes(4)).toString('hex')}`
  const folders = toFolders({
    allocationDir: allocation.dir,
    spoolRoot: allocation.spoolRoot,
    taskDir: allocation.taskDir,
    slice: server.slice,
    name,
  })
  await createFolders(folders)
  const [executor] = await Promise.all([
    createHostExecutor({
      ...options,
      name: `${server.slice}-${name}`,
      inherited,
      allocationId: allocation.id,
      internalDir: folders.internalDir,
      home: folders.home,
      haltFile: folders.haltFile,
    }),
    writeShims(folders, runtime),
    makePipes(folders.pipesDir, PIPES_AHEAD),
  ])
  return { folders, executor, name: `${server.slice}-${name}` }
}

/** Nothing has run: leaves no trace. */
async function clearAway({ folders, executor }: Machine): Promise<void> {
  await executor.close()
  await Promise.all([removeInternal(folders), removeSpool(folders)])
}
