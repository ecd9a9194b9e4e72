/** What shows a build to somebody. */
import type { BuildView, FollowEvent } from '../../model/index.ts'

export interface Renderer {
  /** Resolves when the reader has taken it. */
  event(event: FollowEvent): Promise<void>
  /** Once, with the build in its final state. */
  end(build: BuildView): Promise<void>
  /** Gives the terminal back, however the command ends. */
  close(): void
}
