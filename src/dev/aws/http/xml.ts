/** Answers as XML: Auto Scaling's and EC2's differ in names, lists and envelopes. */
import type { Output } from '../actions/action.ts'
import type { Refusal, Service } from '../actions/refusal.ts'

interface Dialect {
  /** The element around each entry of a list. */
  item: string
  rename(name: string, parent: string): string
  envelope(action: string, body: string, requestId: string): string
}

/** The others have a result even when it is empty, and botocore fails without it. */
const WITHOUT_RESULT: ReadonlySet<string> = new Set([
  'AttachInstances',
  'CreateAutoScalingGroup',
  'CreateOrUpdateTags',
  'DeleteAutoScalingGroup',
  'DeleteScheduledAction',
  'DeleteTags',
  'PutScheduledUpdateGroupAction',
  'ResumeProcesses',
  'SetDesiredCapacity',
  'SetInstanceHealth',
  'SuspendProcesses',
  'UpdateAutoScalingGroup',
])

const AUTO_SCALING: Dialect = {
  item: 'member',
  rename: (name) => name,
  envelope: (action, body, requestId) =>
    [
      `<${action}Response xmlns="http://autoscaling.amazonaws.com/doc/2011-01-01/">`,
      WITHOUT_RESULT.has(action) ? '' : `<${action}Result>${body}</${action}Result>`,
      `<ResponseMetadata><RequestId>${requestId}</RequestId></ResponseMetadata>`,
      `</${action}Response>`,
    ].join(''),
}

/** Where EC2's wire is not just the SDK's name with a small first letter. */
const EC2_NAMES: Readonly<Record<string, string>> = {
  Reservations: 'reservationSet',
  Instances: 'instancesSet',
  TerminatingInstances: 'instancesSet',
  StoppingInstances: 'instancesSet',
  StartingInstances: 'instancesSet',
  InstanceStatuses: 'instanceStatusSet',
  LaunchTemplateVersions: 'launchTemplateVersionSet',
  Groups: 'groupSet',
  SecurityGroups: 'groupSet',
  BlockDeviceMappings: 'blockDeviceMapping',
  NetworkInterfaces: 'networkInterfaceSet',
  Tags: 'tagSet',
  StateTransitionReason: 'reason',
  PublicDnsName: 'dnsName',
}

const EC2: Dialect = {
  item: 'item',
  rename(name, parent) {
    if (name === 'State' && parent === 'Instances') return 'instanceState'
    return EC2_NAMES[name] ?? name.charAt(0).toLowerCase() + name.slice(1)
  },
  envelope: (action, body, requestId) =>
    [
      `<${action}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">`,
      `<requestId>${requestId}</requestId>`,
      body === '' ? '<return>true</return>' : body,
      `</${action}Response>`,
    ].join(''),
}

const DIALECTS: Readonly<Record<Service, Dialect>> = { autoscaling: AUTO_SCALING, ec2: EC2 }

const HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'

export function toAnswer(
  service: Service,
  action: string,
  output: Output,
  requestId: string,
): string {
  const dialect = DIALECTS[service]
  return HEAD + dialect.envelope(action, toElements(output, dialect, ''), requestId)
}

export function toFault(service: Service, refusal: Refusal, requestId: string): string {
  const code = `<Code>${escape(refusal.code)}</Code><Message>${escape(refusal.message)}</Message>`
  if (service === 'ec2') {
    return `${HEAD}<Response><Errors><Error>${code}</Error></Errors><RequestID>${requestId}</RequestID></Response>`
  }
  // Auto Scaling calls all of them the sender's fault, whatever the status says.
  return `${HEAD}<ErrorResponse xmlns="http://autoscaling.amazonaws.com/doc/2011-01-01/"><Error><Type>Sender</Type>${code}</Error><RequestId>${requestId}</RequestId></ErrorResponse>`
}

function toElements(value: object, dialect: Dialect, parent: string): string {
  return Object.entries(value)
    .filter(([, child]) => child !== undefined && child !== null)
    .map(([name, child]) => {
      const tag = dialect.rename(name, parent)
      return `<${tag}>${toContent(child, dialect, name)}</${tag}>`
    })
    .join('')
}

function toContent(value: unknown, dialect: Dialect, name: string): string {
  if (Array.isArray(value)) {
    const { item } = dialect
    return value.map((each) => `<${item}>${toContent(each, dialect, name)}</${item}>`).join('')
  }
  // Whole seconds are what AWS tells, with the fraction always zero or left out.
  if (value instanceof Date) return value.toISOString()
  if (typeof value === 'object' && value !== null) return toElements(value, dialect, name)
  return escape(String(value))
}

function escape(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
