/** Calls to EC2: which machines there are, whoever thinks they are in a group. */
import type * as Sdk from '@aws-sdk/client-ec2'
import { awsProblemOf } from './failure.ts'
import {
  clientOptions,
  createCaller,
  inParts,
  readAllPages,
  type AwsSettings,
  type Caller,
} from './call.ts'
import type { AwsInstance, AwsRegion } from './types.ts'

type InstanceCalls = Pick<
  AwsRegion,
  'readInstances' | 'findInstances' | 'terminateInstance' | 'readTemplateVersion'
>

interface Connection {
  sdk: typeof Sdk
  client: Sdk.EC2Client
}

/** Put by Auto Scaling on all that it launches; it stays when an instance leaves its group. */
const GROUP_TAG = 'aws:autoscaling:groupName'
/** Values of one filter, as EC2 limits them. */
const VALUES_PER_FILTER = 200
const INSTANCES_PER_PAGE = 1000
const LIVING = ['pending', 'running', 'stopping', 'stopped']

export function createInstanceCalls(settings: AwsSettings): InstanceCalls & { close(): void } {
  let opened: Promise<Connection> | null = null
  const connect = () => (opened ??= open(settings))
  const call = createCaller(settings)
  return {
    ...createReads(connect, call),
    async terminateInstance(instanceId, options) {
      const { sdk, client } = await connect()
      const input = { InstanceIds: [instanceId] }
      try {
        await call({ what: `end ${instanceId}`, isWrite: true }, options, (abortSignal) =>
          client.send(new sdk.TerminateInstancesCommand(input), { abortSignal }),
        )
        return true
      } catch (error) {
        if (awsProblemOf(error) === 'not_found') return false
        throw error
      }
    },
    async readTemplateVersion(template, version, options) {
      const { sdk, client } = await connect()
      const input = {
        ...(template.startsWith('lt-')
          ? { LaunchTemplateId: template }
          : { LaunchTemplateName: template }),
        Versions: [version],
      }
      try {
        const answer = await call({ what: `read template ${template}` }, options, (abortSignal) =>
          client.send(new sdk.DescribeLaunchTemplateVersionsCommand(input), { abortSignal }),
        )
        const found = answer.LaunchTemplateVersions?.[0]
        if (found?.VersionNumber === undefined) return null
        const imageId = found.LaunchTemplateData?.ImageId ?? null
        return { version: String(found.VersionNumber), imageId }
      } catch (error) {
        if (awsProblemOf(error) === 'not_found') return null
        throw error
      }
    },
    close() {
      void opened?.then(
        ({ client }) => client.destroy(),
        () => undefined,
      )
    },
  }
}

async function open(settings: AwsSettings): Promise<Connection> {
  const sdk = await import('@aws-sdk/client-ec2')
  return { sdk, client: settings.clients?.ec2 ?? new sdk.EC2Client(clientOptions(settings)) }
}

function createReads(
  connect: () => Promise<Connection>,
  call: Caller,
): Pick<InstanceCalls, 'readInstances' | 'findInstances'> {
  const read = async (filters: Sdk.Filter[], options: Parameters<typeof call>[1]) => {
    const { sdk, client } = await connect()
    return call({ what: 'read instances' }, options, (abortSignal) =>
      readAllPages(
        (NextToken) => {
          const input = {
            Filters: filters,
            MaxResults: INSTANCES_PER_PAGE,
            ...(NextToken && { NextToken }),
          }
          return client.send(new sdk.DescribeInstancesCommand(input), { abortSignal })
        },
        (page) =>
          (page.Reservations ?? []).flatMap(({ Instances }) => (Instances ?? []).map(toInstance)),
      ),
    )
  }
  return {
    async readInstances(instanceIds, options) {
      const found = []
      for (const Values of inParts(instanceIds, VALUES_PER_FILTER)) {
        found.push(...(await read([{ Name: 'instance-id', Values }], options)))
      }
      return found
    },
    async findInstances(groups, options) {
      const found = []
      for (const Values of inParts(groups, VALUES_PER_FILTER)) {
        const filters = [
          { Name: `tag:${GROUP_TAG}`, Values },
          { Name: 'instance-state-name', Values: LIVING },
        ]
        found.push(...(await read(filters, options)))
      }
      return found
    },
  }
}

function toInstance(instance: Sdk.Instance): AwsInstance {
  return {
    instanceId: instance.InstanceId ?? '',
    state: instance.State?.Name ?? 'unknown',
    launchedMs: instance.LaunchTime?.getTime() ?? 0,
    group: instance.Tags?.find(({ Key }) => Key === GROUP_TAG)?.Value ?? null,
    zone: instance.Placement?.AvailabilityZone ?? '',
    privateIp: instance.PrivateIpAddress ?? null,
    imageId: instance.ImageId ?? '',
    isSpot: instance.InstanceLifecycle === 'spot',
    hopLimit: instance.MetadataOptions?.HttpPutResponseHopLimit ?? null,
    requiresTokens: instance.MetadataOptions?.HttpTokens === 'required',
  }
}
