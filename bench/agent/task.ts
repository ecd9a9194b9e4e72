/** Tasks for the agents of a bench. */
import type { Task } from '../../src/model/index.ts'

/** One step of one slice. */
export function toTask(command: string, mask: string[] = []): Task {
  return {
    build: {
      id: '0'.repeat(24),
      number: 1,
      org: 'acme',
      repo: 'site',
      branch: 'main',
      sha: '0'.repeat(40),
      job: 'test',
    },
    slice: { index: 0, total: 1 },
    source: { kind: 'none' },
    environment: [{ layer: 'job', values: { CI: 'true' } }],
    working_directory: '~/project',
    steps: [
      {
        kind: 'run',
        name: 'measured',
        command,
        environment: {},
        when: 'on_success',
        no_output_timeout_ms: 600_000,
        background: false,
      },
    ],
    mask,
    // The bench may be interrupted: its agents then end by themselves, and soon.
    limits: { max_run_time_ms: 600_000, output_bytes: 4 * 1024 ** 3, orphan_ms: 10_000 },
  }
}
