/** Everything the engine serves. */
import type { Routes } from '../call.ts'
import { agentRoutes } from './agent.ts'
import type { AgentDeps } from './agent.ts'
import { allocationRoutes } from './allocations.ts'
import { evaluationRoutes } from './evaluations.ts'
import { eventRoutes } from './events.ts'
import type { EventDeps } from './events.ts'
import { fileRoutes } from './files.ts'
import { jobDetailRoutes } from './job-details.ts'
import { jobRoutes } from './jobs.ts'
import { nodeRoutes } from './nodes.ts'
import { operatorRoutes } from './operator.ts'
import type { OperatorDeps } from './operator.ts'
import { statsRoutes } from './stats.ts'
import type { StatsDeps } from './stats.ts'
import { unsupportedRoutes } from './unsupported.ts'

type Deps = AgentDeps & EventDeps & OperatorDeps & StatsDeps

export function toRoutes(deps: Deps): Routes {
  return {
    ...jobRoutes(deps),
    ...jobDetailRoutes(deps),
    ...evaluationRoutes(deps),
    ...allocationRoutes(deps),
    ...nodeRoutes(deps),
    ...agentRoutes(deps),
    ...operatorRoutes(deps),
    ...eventRoutes(deps),
    ...fileRoutes(deps),
    ...statsRoutes(deps),
    ...unsupportedRoutes(),
  }
}
