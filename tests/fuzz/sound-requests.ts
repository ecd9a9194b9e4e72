/** Requests as people and agents send them. */

const CONFIG = 'version: 2.1\njobs:\n  test:\n    machine: true\n    steps:\n      - run: "true"\n'

export const BUILD_REQUEST = {
  config: CONFIG,
  config_file: '.circleci/config.yml',
  job: 'test',
  parallelism: 2,
  org: 'acme',
  repo: 'site',
  branch: 'main',
  sha: 'f'.repeat(40),
  source: { kind: 'git', url: 'https://example.org/a.git' },
  priority: 50,
}

export const TOKEN_REQUEST = { role: 'read', name: 'n', expires: '1d' }

export const CLAIM = {
  claim_id: 'c'.repeat(32),
  token: 'a-token',
  protocol: 1,
  agent_version: '0.1.0',
  allocation_id: 'b',
  node_id: 'c',
  node_name: 'node',
}

export const EVENTS = {
  events: [
    { type: 'step_started', seq: 1, at_ms: 0, step: 0, attempt: 1, shell: '/bin/bash -e' },
    {
      type: 'step_finished',
      seq: 2,
      at_ms: 0,
      step: 0,
      attempt: 1,
      state: 'succeeded',
      exit_code: 0,
      signal: null,
      reason: null,
      duration_ms: 5,
      output: { length: 0, sha256: '', dropped: 0 },
    },
    { type: 'notice', seq: 3, at_ms: 0, step: 0, text: 'hello' },
    { type: 'slice_finished', seq: 4, at_ms: 0, result: 'failed', reason: 'exit_code', detail: '' },
  ],
}
