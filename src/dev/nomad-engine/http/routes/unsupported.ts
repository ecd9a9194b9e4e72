/** Calls of Nomad's API that the engine does not serve: it says so, rather than that there is none. */
import { plain } from '../call.ts'
import type { Methods, Routes } from '../call.ts'

const PATHS = [
  '/v1/job/:id/plan',
  '/v1/job/:id/dispatch',
  '/v1/job/:id/revert',
  '/v1/job/:id/stable',
  '/v1/job/:id/scale',
  '/v1/job/:id/actions',
  '/v1/job/:id/periodic/force',
  '/v1/jobs/parse',
  '/v1/namespace',
  '/v1/var/*',
  '/v1/search/fuzzy',
  '/v1/agent/monitor',
  '/v1/agent/pprof/*',
  '/v1/client/gc',
  '/v1/client/allocation/:id/exec',
  '/v1/client/allocation/:id/gc',
  '/v1/client/allocation/:id/pause',
  '/v1/client/allocation/:id/restart',
  '/v1/client/allocation/:id/signal',
  '/v1/operator/snapshot',
  '/v1/operator/raft/configuration',
  '/v1/operator/autopilot/configuration',
]

export function unsupportedRoutes(): Routes {
  const refuse = () =>
    plain(501, 'the embedded engine does not serve this call: use a real Nomad cluster for it')
  const methods: Methods = { GET: refuse, PUT: refuse, DELETE: refuse }
  return Object.fromEntries(PATHS.map((path) => [path, methods]))
}
