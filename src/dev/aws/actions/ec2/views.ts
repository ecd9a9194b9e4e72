/** How EC2 tells of a machine. The names are the SDK's; the wire has its own for some of them. */
import { MACHINE_STATES } from '../../core/states.ts'
import type { MachineState } from '../../core/states.ts'
import type { Machine, World } from '../../core/world.ts'

export function toStateView(state: MachineState) {
  return { Code: MACHINE_STATES[state], Name: state }
}

export function toMachineView(world: World, machine: Machine) {
  const state = machine.state.value
  const address = machine.privateIp
  const host = `ip-${address.replaceAll('.', '-')}.ec2.internal`
  const isGone = state === 'terminated'
  return {
    InstanceId: machine.id,
    ImageId: machine.imageId,
    State: toStateView(state),
    PrivateDnsName: isGone ? '' : host,
    PublicDnsName: '',
    StateTransitionReason: toTransitionReason(machine),
    AmiLaunchIndex: 0,
    ProductCodes: [],
    InstanceType: machine.instanceType,
    LaunchTime: new Date(machine.launchedAt),
    Placement: { AvailabilityZone: machine.zone, GroupName: '', Tenancy: 'default' },
    Monitoring: { State: 'disabled' },
    SubnetId: isGone ? undefined : machine.subnet,
    VpcId: isGone ? undefined : 'vpc-0a1b2c3d4e5f60718',
    PrivateIpAddress: isGone ? undefined : address,
    Architecture: 'x86_64',
    BlockDeviceMappings: [],
    EbsOptimized: false,
    NetworkInterfaces: [],
    SecurityGroups: [],
    SourceDestCheck: true,
    RootDeviceType: 'ebs',
    RootDeviceName: '/dev/xvda',
    VirtualizationType: 'hvm',
    Hypervisor: 'xen',
    InstanceLifecycle: machine.isSpot ? 'spot' : undefined,
    StateReason:
      machine.stateReason === null
        ? undefined
        : { Code: machine.stateReason.code, Message: machine.stateReason.message },
    Tags: toTags(world, machine),
    MetadataOptions: {
      State: 'applied',
      HttpTokens: 'required',
      HttpPutResponseHopLimit: 2,
      HttpEndpoint: 'enabled',
      HttpProtocolIpv6: 'disabled',
      InstanceMetadataTags: 'enabled',
    },
  }
}

function toTransitionReason(machine: Machine): string {
  if (machine.stateReason === null) return ''
  const at = new Date(machine.state.since).toISOString().slice(0, 19).replace('T', ' ')
  const who = machine.stateReason.code.startsWith('Client') ? 'User initiated' : 'Service initiated'
  return `${who} (${at} GMT)`
}

export function toTags(world: World, machine: Machine): { Key: string; Value: string }[] {
  const { template } = machine
  const own =
    template === null
      ? []
      : [
          ['aws:ec2launchtemplate:id', template.id] as const,
          ['aws:ec2launchtemplate:version', String(template.number)] as const,
        ]
  return [...machine.tags, ...own].map(([Key, Value]) => ({ Key, Value }))
}
