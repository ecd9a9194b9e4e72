/** The AWS of the tests as the fleet knows it: the emulator in this process behind the SDK's interface. */
import {
  createInProcessClient,
  type AwsEmulator,
  type AwsIntercept,
} from '../../../src/dev/aws/index.ts'
import { createAws, type AwsRegion, type Clock } from '../../../src/platform/index.ts'

type Clients = NonNullable<Parameters<typeof createAws>[0]['clients']>

/** @param intercept stands between the two. */
export function regionOf(emulator: AwsEmulator, clock: Clock, intercept?: AwsIntercept): AwsRegion {
  const client = (service: 'autoscaling' | 'ec2') =>
    createInProcessClient(emulator, service, intercept) as unknown
  const clients = {
    autoScaling: client('autoscaling') as Clients['autoScaling'],
    ec2: client('ec2') as Clients['ec2'],
  }
  return createAws({ region: 'us-east-1', clock, clients })
}
