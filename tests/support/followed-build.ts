/** A build whose states a test sets, with real output on disk, followed as the scheduler's is. */
import type { Test } from 'tap'
import type { BuildId, BuildView, FollowEvent } from '../../src/model/index.ts'
import { toSliceKey } from '../../src/model/index.ts'
import { silentLog, systemClock } from '../../src/platform/index.ts'
import type { Change, OutputKey } from '../../src/scheduler/index.ts'
import {
  createFollow,
  createFollowers,
  createOutputStore,
} from '../../src/scheduler/output/index.ts'
import { aBuild } from './builds.ts'

export class FollowedBuild {
  view: BuildView
  readCount = 0
  readonly outputs
  readonly follow
  readonly #listeners = new Set<(change: Change) => void>()

  constructor(t: Test, view: BuildView = aBuild()) {
    this.view = view
    this.outputs = createOutputStore({ directory: t.testdir(), log: silentLog })
    t.teardown(() => this.outputs.close())
    this.follow = createFollow({
      clock: systemClock,
      outputs: this.outputs,
      followers: createFollowers(),
      readBuild: async (ref) => {
        this.readCount += 1
        return [this.view.id, `${this.view.number}`].includes(ref) ? this.view : null
      },
      changes: {
        subscribe: (_build, listener) => {
          this.#listeners.add(listener)
          return () => this.#listeners.delete(listener)
        },
      },
    })
  }

  get listenerCount(): number {
    return this.#listeners.size
  }

  change(view: BuildView): void {
    this.view = view
    this.announce({ kind: 'slice', slice: 0 })
  }

  announce(change: Change): void {
    for (const listener of this.#listeners) listener(change)
  }

  key(given: Partial<OutputKey> = {}): OutputKey {
    const slice = toSliceKey(this.view.id as BuildId, 0)
    return { slice, epoch: 1, step: 0, attempt: 1, ...given }
  }

  async write(text: string | Buffer, given: Partial<OutputKey> = {}): Promise<void> {
    const key = this.key(given)
    await this.outputs.append(key, await this.outputs.length(key), Buffer.from(text))
  }
}

/** `build running`, `slice 0 running`, `step 0/1 succeeded`, `output 0/1 @4 text`: one line per event. */
export function describeEvent(event: FollowEvent): string {
  switch (event.type) {
    case 'build':
      return `build ${event.build.state}`
    case 'slice':
      return `slice ${event.slice.index} ${event.slice.state} epoch ${event.slice.epoch}`
    case 'step':
      return `step ${event.slice}/${event.step.index} ${event.step.state}`
    case 'notice':
      return `notice ${event.slice} ${event.text}`
    case 'output':
      return `output ${event.slice}/${event.step} @${event.offset} ${Buffer.from(event.data, 'base64').toString()}`
  }
}
