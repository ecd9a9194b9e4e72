/** What has happened to a build since its follower last looked, in a bounded place. */
import type { FollowEvent } from '../../model/index.ts'
import type { Clock } from '../../platform/index.ts'
import type { Change } from '../ports.ts'

type Notice = Extract<FollowEvent, { type: 'notice' }>

/** What a slow reader can catch up with; a build that says more says it in its output, too. */
const NOTICES_MAX = 1000

export class Inbox {
  /** The build may not be any more as it was last read. */
  isStale = false
  /** Output came since the build was last read. */
  hasOutput = false
  #notices: Notice[] = []
  #missedCount = 0
  #wake: () => void = () => undefined

  /** Takes note of a change. States are not kept: the build is read again, whatever they were. */
  add(change: Change): void {
    const { kind, slice = 0, text = '' } = change
    if (kind !== 'notice') this.isStale = true
    else if (this.#notices.length < NOTICES_MAX) this.#notices.push({ type: 'notice', slice, text })
    else this.#missedCount += 1
    this.wake()
  }

  /** Ends a `wait` that is under way. */
  wake(): void {
    this.#wake()
  }

  /** In the order they came, each once. */
  takeNotices(): Notice[] {
    const notices = this.#notices
    const last = notices.at(-1)
    if (last !== undefined && this.#missedCount > 0) {
      const text = `${this.#missedCount} more notices came faster than they were read`
      notices.push({ type: 'notice', slice: last.slice, text })
    }
    this.#notices = []
    this.#missedCount = 0
    return notices
  }

  /** Until something is added, the delay has passed or the signal aborts. */
  async wait(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#notices.length > 0) return
    await new Promise<void>((resolve) => {
      const done = () => {
        timer.cancel()
        signal.removeEventListener('abort', done)
        this.#wake = () => undefined
        resolve()
      }
      const timer = clock.after(delayMs, done)
      signal.addEventListener('abort', done, { once: true })
      this.#wake = done
    })
  }
}
