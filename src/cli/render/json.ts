/** The view for scripts: one object per line, the last one of type `build`. */
import type { BuildView } from '../../model/index.ts'
import type { OutputStream } from '../io.ts'
import { writeJsonLine } from '../io.ts'
import type { Renderer } from './renderer.ts'

export function createJsonRenderer(stdout: OutputStream): Renderer {
  let announced = false
  return {
    async event(event) {
      if (event.type !== 'build') return writeJsonLine(stdout, event)
      if (announced) return
      announced = true
      const { id, number } = event.build
      await writeJsonLine(stdout, { type: 'submitted', id, number })
    },
    end: (build) => writeJsonLine(stdout, toBuildLine(build)),
    close: () => undefined,
  }
}

/** The last line of `caravan run --json`; its shape is a contract. */
export function toBuildLine(build: BuildView) {
  return {
    type: 'build' as const,
    id: build.id,
    number: build.number,
    state: build.state,
    reason: build.reason,
    seconds: build.seconds,
    rerun_of: build.rerun_of,
    slices: build.slices.map((slice) => ({
      index: slice.index,
      epoch: slice.epoch,
      nomad_job_id: slice.nomad_job_id,
      state: slice.state,
      reason: slice.reason,
      steps: slice.steps.map(({ name, state, exit_code, seconds }) => ({
        name,
        state,
        exit_code,
        seconds,
      })),
    })),
  }
}
