/**
 * The API without a socket, for tests and simulations on a virtual clock: takes the SDK's own commands.
 *
 * An action is found by the name of the command's class, so that anything that calls `client.send(...)`
 * works unchanged.
 */
import type { Output } from './actions/action.ts'
import { Refusal } from './actions/refusal.ts'
import type { Service } from './actions/refusal.ts'
import { makeCall } from './calls.ts'
import type { AwsIntercept } from './calls.ts'
import type { AwsEmulator } from './emulator.ts'

export interface SdkCommand {
  input: object
}

export interface InProcessClient {
  /** @throws AwsServiceError, or ConnectionCut when an intercept lost the answer. */
  send(command: SdkCommand, options?: { abortSignal?: AbortSignal }): Promise<Output>
  destroy(): void
}

/** What the SDK throws for a refusal, as far as programs look at it. */
export class AwsServiceError extends Error {
  readonly $fault = 'client'
  readonly $metadata: { httpStatusCode: number }

  constructor(refusal: Refusal) {
    super(refusal.message, { cause: refusal })
    this.name = refusal.code
    this.$metadata = { httpStatusCode: refusal.status }
  }
}

export function createInProcessClient(
  aws: AwsEmulator,
  service: Service,
  intercept?: AwsIntercept,
): InProcessClient {
  return {
    async send(command, { abortSignal } = {}) {
      const action = command.constructor.name.replace(/Command$/, '')
      try {
        const call = makeCall(aws, intercept, { service, action, input: { ...command.input } })
        // Only an intercept can hold an answer back.
        return await (intercept === undefined ? call : orAborted(call, abortSignal))
      } catch (cause) {
        throw cause instanceof Refusal ? new AwsServiceError(cause) : cause
      }
    },
    destroy: () => undefined,
  }
}

/** Whoever asked waits no longer; what was begun goes on. */
async function orAborted<Answer>(
  call: Promise<Answer>,
  signal: AbortSignal | undefined,
): Promise<Answer> {
  if (signal === undefined) return call
  const aborted = Promise.withResolvers<never>()
  const give = () => aborted.reject(signal.reason)
  signal.addEventListener('abort', give, { once: true })
  try {
    return await Promise.race([call, aborted.promise])
  } finally {
    signal.removeEventListener('abort', give)
  }
}
