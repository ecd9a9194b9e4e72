/** The Python SDK, which hook scripts use most, against the emulator on a real clock. */
import t from 'tap'
import { startAwsEmulator } from '../../../src/dev/index.ts'
import { silentLog, systemClock, systemRandom } from '../../../src/platform/index.ts'
import { findPython, runPython } from './python.ts'

const SCRIPT = `
import boto3, json, time
groups = boto3.client('autoscaling')
ec2 = boto3.client('ec2')
on = {'AutoScalingGroupName': 'clients'}
groups.create_auto_scaling_group(MinSize=0, MaxSize=3, DesiredCapacity=2, AvailabilityZones=['us-east-1a'],
    LaunchTemplate={'LaunchTemplateName': 'client'}, **on)
groups.put_lifecycle_hook(LifecycleHookName='drain', LifecycleTransition='autoscaling:EC2_INSTANCE_TERMINATING',
    HeartbeatTimeout=30, DefaultResult='CONTINUE', **on)

def states():
    pages = groups.get_paginator('describe_auto_scaling_instances').paginate()
    return {i['InstanceId']: i['LifecycleState'] for page in pages for i in page['AutoScalingInstances']}

def until(wanted):
    deadline = time.time() + 60
    while sorted(states().values()) != sorted(wanted):
        assert time.time() < deadline, states()
        time.sleep(0.05)

until(['InService', 'InService'])
gone = sorted(states())[0]
groups.terminate_instance_in_auto_scaling_group(InstanceId=gone, ShouldDecrementDesiredCapacity=True)
until(['InService', 'Terminating:Wait'])
groups.record_lifecycle_action_heartbeat(LifecycleHookName='drain', InstanceId=gone, **on)
groups.complete_lifecycle_action(LifecycleHookName='drain', InstanceId=gone, LifecycleActionResult='CONTINUE', **on)
until(['InService'])
ec2.get_waiter('instance_terminated').wait(InstanceIds=[gone], WaiterConfig={'Delay': 1, 'MaxAttempts': 60})
try:
    groups.complete_lifecycle_action(LifecycleHookName='drain', InstanceId=gone, LifecycleActionResult='CONTINUE', **on)
    error = None
except groups.exceptions.ClientError as refused:
    error = refused.response['Error']
activities = groups.describe_scaling_activities(**on)['Activities']
print(json.dumps({'error': error, 'statuses': [a['StatusCode'] for a in activities], 'gone': gone}))
`

const found = await findPython()
if ('reason' in found) {
  const message = `boto3 could not be installed, so nothing was tried: ${found.reason}`
  if (process.env['CI']) t.fail(message)
  else t.pass(`skipped: ${message}`)
  console.error(`\n*** ${message}\n`)
} else {
  await t.test('boto3 takes an instance through its hook', async (t) => {
    const running = await startAwsEmulator({
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
      bootMs: 200,
      shutdownMs: 200,
    })
    t.teardown(() => running.close())
    const printed = await runPython(found.python, SCRIPT, {
      AWS_ENDPOINT_URL: running.endpoint,
      AWS_DEFAULT_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'x',
      AWS_SECRET_ACCESS_KEY: 'x',
      AWS_EC2_METADATA_DISABLED: 'true',
    })
    const { error, statuses, gone } = JSON.parse(printed)
    t.equal(error.Code, 'ValidationError')
    t.equal(error.Message, `No active Lifecycle Action found with instance ID ${gone}`)
    t.same(statuses, ['Successful', 'Successful', 'Successful'])
  })
}
