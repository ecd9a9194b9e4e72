import t from 'tap'
import { classify } from '../../src/nomad/classify.ts'

const multi = (text: string) => `1 error occurred:\n\t* ${text}\n\n`

/** Texts as Nomad servers write them. */
const TABLE: readonly [number, string, string, string, string | null][] = [
  [
    500,
    'Enforcing job modify index 0: job already exists',
    'conflict',
    'refused',
    'NOMAD_REJECTED',
  ],
  [
    500,
    'Enforcing job modify index 5: job exists with conflicting job modify index: 10',
    'conflict',
    'refused',
    'NOMAD_REJECTED',
  ],
  [
    500,
    'Enforcing job modify index 5: job does not exist',
    'conflict',
    'refused',
    'NOMAD_REJECTED',
  ],
  [500, 'No cluster leader', 'no_leader', 'unknown', null],
  [500, 'rpc error: No cluster leader', 'no_leader', 'unknown', null],
  [500, 'Not ready to serve consistent reads', 'no_leader', 'unknown', null],
  [500, 'leadership lost while committing log', 'no_leader', 'unknown', null],
  [
    403,
    'Job registration, dispatch, and scale are disabled by the scheduler configuration',
    'registration_disabled',
    'refused',
    'NOMAD_FORBIDDEN',
  ],
  [403, 'Permission denied', 'permission_denied', 'refused', 'NOMAD_FORBIDDEN'],
  [401, 'Missing token', 'permission_denied', 'refused', 'NOMAD_FORBIDDEN'],
  [403, 'ACL token not found', 'unknown_token', 'refused', 'NOMAD_FORBIDDEN'],
  [
    500,
    'ACL token not found or invalid workload identity: failed to parse signed token',
    'unknown_token',
    'refused',
    'NOMAD_FORBIDDEN',
  ],
  [404, 'job not found', 'not_found', 'refused', 'NOMAD_NOT_FOUND'],
  [404, 'alloc not found', 'not_found', 'refused', 'NOMAD_NOT_FOUND'],
  [404, 'eval not found', 'not_found', 'refused', 'NOMAD_NOT_FOUND'],
  [500, 'node not found', 'not_found', 'refused', 'NOMAD_NOT_FOUND'],
  [404, '', 'no_such_path', 'refused', 'NOMAD_REJECTED'],
  [404, '<html>404 page not found</html>', 'no_such_path', 'refused', 'NOMAD_REJECTED'],
  [
    500,
    multi('job "x" is in nonexistent namespace "ci"'),
    'nonexistent_namespace',
    'refused',
    'NOMAD_REJECTED',
  ],
  [
    500,
    multi('job "x" is in nonexistent node pool "linux"'),
    'nonexistent_node_pool',
    'refused',
    'NOMAD_REJECTED',
  ],
  [
    500,
    "can not set node's scheduling eligibility to eligible while it is draining",
    'node_draining',
    'refused',
    'NOMAD_REJECTED',
  ],
  [500, multi('Missing job task groups'), 'invalid', 'refused', 'NOMAD_REJECTED'],
  [
    500,
    '2 errors occurred:\n\t* a timeout must be positive',
    'invalid',
    'refused',
    'NOMAD_REJECTED',
  ],
  [
    500,
    'alloc lookup failed: index error: UUID must be 36 characters',
    'invalid',
    'refused',
    'NOMAD_REJECTED',
  ],
  [400, 'Job ID does not match name', 'invalid', 'refused', 'NOMAD_REJECTED'],
  [405, 'Invalid method', 'invalid', 'refused', 'NOMAD_REJECTED'],
  [301, '', 'invalid', 'refused', 'NOMAD_REJECTED'],
  [429, '', 'connection_limit', 'not_done', null],
  [500, 'timed out enqueuing operation', 'server_error', 'unknown', null],
  [502, 'Bad Gateway', 'server_error', 'unknown', null],
]

t.test('each answer that is no success has its meaning', (t) => {
  for (const [status, text, problem, effect, code] of TABLE) {
    t.same(classify(status, text), { problem, effect, code }, `${status} ${text}`)
  }
  t.end()
})
