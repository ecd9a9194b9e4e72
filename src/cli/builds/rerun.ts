/** `caravan builds rerun`: a new build of what a build that is over was, followed to its end. */
import { systemClock } from '../../platform/index.ts'
import { showToEnd } from '../follow.ts'
import type { Io } from '../io.ts'
import type { ConnectOptions } from './connect.ts'
import { withServer } from './connect.ts'

export interface RerunOptions extends ConnectOptions {
  /** Only the slices that did not succeed. */
  failed?: boolean
  detach?: boolean
}

/** @returns the exit code, as `run` does. */
export function rerun(ref: string, options: RerunOptions, io: Io): Promise<number> {
  return withServer(options, async (api) => {
    const build = await api.rerunBuild(ref, { failed: options.failed ?? false })
    return showToEnd(api, build, options, { io, clock: systemClock })
  })
}
