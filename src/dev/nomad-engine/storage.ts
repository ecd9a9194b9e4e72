/** The state of one data directory, opened: rows, their journal, and those who wait for news of them. */
import { mkdirSync } from 'node:fs'
import { lockFolder } from '../../platform/index.ts'
import type { Clock, Log } from '../../platform/index.ts'
import { EventBuffer } from './state/event-buffer.ts'
import { openJournal } from './state/journal.ts'
import { SETTING_KEY } from './state/rows.ts'
import type { Commit, SchedulerConfiguration, Write } from './state/rows.ts'
import { State } from './state/state.ts'
import { Watch } from './state/watch.ts'

export interface Storage {
  state: State
  events: EventBuffer
  watch: Watch
  /** Records what was committed; called before every answer. */
  flush(): void
  close(): void
}

/** @throws CaravanError DATA_DIR_LOCKED, or STORE_FAILED when the files can not be read. */
export async function openStorage(dataDir: string, clock: Clock, log: Log): Promise<Storage> {
  mkdirSync(dataDir, { recursive: true })
  const lock = await lockFolder(dataDir, clock.now())
  const state = new State()
  try {
    const journal = openJournal(dataDir, state, log)
    const events = new EventBuffer()
    const watch = new Watch(clock)
    // The outside is told of commits only once they are recorded.
    let recorded: Commit[] = []
    state.onCommit((commit) => recorded.push(commit))
    journal.onFlush(() => {
      const commits = recorded
      recorded = []
      for (const commit of commits) {
        events.append(commit)
        watch.note(commit)
      }
    })
    seed(state)
    return {
      state,
      events,
      watch,
      flush: () => journal.flush(),
      close() {
        watch.close()
        journal.close()
        lock.release()
      },
    }
  } catch (cause) {
    lock.release()
    throw cause
  }
}

const POOLS = [
  { Name: 'all', Description: 'Node pool with all nodes in the cluster.' },
  { Name: 'default', Description: 'Default node pool.' },
]

/** Nomad's defaults. */
const CONFIGURATION: SchedulerConfiguration = {
  SchedulerAlgorithm: 'binpack',
  PreemptionConfig: {
    SystemSchedulerEnabled: true,
    SysBatchSchedulerEnabled: false,
    BatchSchedulerEnabled: false,
    ServiceSchedulerEnabled: false,
  },
  MemoryOversubscriptionEnabled: false,
  RejectJobRegistration: false,
  PauseEvalBroker: false,
  NodeLimitForFeasibilityChecks: 0,
  CreateIndex: 0,
  ModifyIndex: 0,
}

/** What exists on a server that nobody has used yet. */
function seed(state: State): void {
  const { pool, setting } = state.tables
  const writes: Write[] = POOLS.filter(({ Name }) => pool.get(Name) === undefined).map((each) => ({
    table: 'pool',
    key: each.Name,
    put: { ...each, CreateIndex: 0, ModifyIndex: 0 },
  }))
  if (setting.get(SETTING_KEY) === undefined) {
    writes.push({ table: 'setting', key: SETTING_KEY, put: CONFIGURATION })
  }
  if (writes.length > 0) state.commit('Internal', writes)
}
