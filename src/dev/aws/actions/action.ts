/** One action of the API: what it takes, and what it does to the world. */
import type { z } from 'zod'
import type { World } from '../core/world.ts'
import { Refusal } from './refusal.ts'
import type { Service } from './refusal.ts'

/** In the shape of the SDK's own outputs: `undefined` is left out, a Date is a time. */
export type Output = Record<string, unknown>

/** @throws Refusal */
export type Action = (world: World, input: unknown) => Output

export type Actions = Readonly<Record<string, Action>>

export function define<Schema extends z.ZodType>(
  schema: Schema,
  run: (world: World, input: z.infer<Schema>) => Output,
): Action {
  return (world, raw) => {
    const parsed = schema.safeParse(raw)
    if (parsed.success) return run(world, parsed.data)
    const problems = parsed.error.issues.map(
      ({ path, message }) =>
        `Value at '${path.join('.')}' failed to satisfy constraint: ${message}`,
    )
    const count = problems.length
    throw new Refusal(
      'ValidationError',
      `${count} validation error${count === 1 ? '' : 's'} detected: ${problems.join('; ')}`,
    )
  }
}

export function unknownAction(service: Service, action: string): Refusal {
  const message = `The action ${action} is not valid for this web service: the emulator's ${service} does not know it.`
  return new Refusal('InvalidAction', message)
}
