/** How long a writer is held back: as long as it gets better, and not much longer. */
import type { Clock } from '../../platform/index.ts'

export interface PatienceOptions {
  clock: Clock
  /** How long nothing may get better. */
  limitMs: number
  /** Aborts when nobody may wait any more. */
  hurry: AbortSignal
  /** Whether the writer would still have to wait. */
  isNeeded: () => boolean
  /** Grows when it gets better; `worth` of it in one `limitMs` is enough to go on waiting. */
  progress: () => number
  worth: () => number
  /** It was waited long enough, or is not needed any more. */
  onOver: () => void
}

export class Patience {
  readonly #options: PatienceOptions
  #isLost = false
  #stop: (() => void) | null = null

  constructor(options: PatienceOptions) {
    this.#options = options
  }

  /** True when nobody is to wait any more; then it stays so. */
  get isLost(): boolean {
    return this.#isLost || this.#options.hurry.aborted
  }

  /** Starts to count, unless it does already. */
  start(): void {
    if (this.#stop !== null) return
    const { clock, limitMs, hurry, isNeeded, progress, worth, onOver } = this.#options
    const before = progress()
    const look = () => {
      this.stop()
      const isBetter = progress() - before >= worth()
      if (isNeeded() && isBetter) return this.start()
      if (isNeeded()) this.#isLost = true
      onOver()
    }
    const timer = clock.after(limitMs, look)
    hurry.addEventListener('abort', look, { once: true })
    this.#stop = () => {
      timer.cancel()
      hurry.removeEventListener('abort', look)
    }
  }

  stop(): void {
    this.#stop?.()
    this.#stop = null
  }

  lose(): void {
    this.stop()
    this.#isLost = true
  }
}
