/** The one call to Secrets Manager. */
import { CaravanError } from '../../model/index.ts'
import { clientOptions, createCaller, type AwsSettings } from './call.ts'
import type { AwsRegion } from './types.ts'

export function createSecretCalls(settings: AwsSettings): Pick<AwsRegion, 'readSecret'> {
  const call = createCaller(settings)
  return {
    async readSecret(name, options) {
      const sdk = await import('@aws-sdk/client-secrets-manager')
      const client = new sdk.SecretsManagerClient(clientOptions(settings))
      try {
        const answer = await call({ what: `read the secret ${name}` }, options, (abortSignal) =>
          client.send(new sdk.GetSecretValueCommand({ SecretId: name }), { abortSignal }),
        )
        if (answer.SecretString !== undefined) return answer.SecretString
      } finally {
        client.destroy()
      }
      const detail = { problem: 'rejected' }
      throw new CaravanError('AWS_REJECTED', `the secret ${name} holds no text`, { detail })
    },
  }
}
