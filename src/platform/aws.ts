/**
 * AWS, as little of it as the fleet needs. This file and its folder are the only places that name the SDK,
 * whose clients are loaded with the first call of each service: EC2's alone takes 0.4 s.
 *
 * Credentials and endpoints (`AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_AUTO_SCALING`, ...) are found by the SDK where
 * all programs that use it look for them; proxies (`HTTPS_PROXY`, `NO_PROXY`) by Node.js.
 */
import { CALL_MS, type AwsSettings } from './aws/call.ts'
import { createGroupCalls } from './aws/groups.ts'
import { createInstanceCalls } from './aws/instances.ts'
import { createSecretCalls } from './aws/secrets.ts'
import type { AwsRegion } from './aws/types.ts'

export { awsProblemOf } from './aws/failure.ts'
export type * from './aws/types.ts'

/** Connects nowhere before the first call. */
export function createAws({
  callMs = CALL_MS,
  ...options
}: Omit<AwsSettings, 'callMs'> & { callMs?: number }): AwsRegion {
  const settings = { ...options, callMs }
  const groups = createGroupCalls(settings)
  const instances = createInstanceCalls(settings)
  return {
    region: settings.region,
    ...groups,
    ...instances,
    ...createSecretCalls(settings),
    close() {
      groups.close()
      instances.close()
    },
  }
}
