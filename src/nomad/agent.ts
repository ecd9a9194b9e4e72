/** Calls about the cluster itself. */
import { isCaravanError } from '../model/index.ts'
import { checkAgentSelf, checkSchedulerConfiguration, checkText } from './check.ts'
import { problemOf } from './failure.ts'
import type { CallOptions, NomadClient } from './ports.ts'
import type { Transport } from './transport.ts'
import { parseNomadVersion } from './version.ts'
import type { AgentSelf } from './wire.ts'

type AgentCalls = Pick<NomadClient, 'agentSelf' | 'version' | 'leader' | 'schedulerConfiguration'>

export function createAgentCalls(transport: Transport): AgentCalls {
  const agentSelf = async (options?: CallOptions): Promise<AgentSelf> => {
    const purpose = 'read the agent'
    const call = { ...options, purpose, path: '/v1/agent/self', check: checkAgentSelf }
    return transport.read(call)
  }
  return {
    agentSelf,
    async version(options) {
      try {
        const { member, config } = await agentSelf(options)
        return parseNomadVersion(member?.Tags?.['build'] ?? config?.Version?.Version ?? '')
      } catch (error) {
        if (isCaravanError(error, 'NOMAD_FORBIDDEN')) return null
        throw error
      }
    },
    async leader(options) {
      const call = { ...options, purpose: 'read the leader', path: '/v1/status/leader' }
      try {
        return (await transport.read({ ...call, check: checkText })) || null
      } catch (error) {
        if (problemOf(error) === 'no_leader') return null
        throw error
      }
    },
    async schedulerConfiguration(options) {
      const purpose = 'read the scheduler configuration'
      const path = '/v1/operator/scheduler/configuration'
      const call = { ...options, purpose, path, check: checkSchedulerConfiguration }
      return (await transport.read(call)).SchedulerConfig
    },
  }
}
