/**
 * The end of a program, once its work is done.
 *
 * Left to itself, Node.js waits for whatever is still open and then takes it down: a connection that somebody
 * keeps holds the program, and on pipes of children that were killed it can spin for ever. What matters is over
 * by then, but for what readers of our output have not taken yet.
 */
import { type Clock, deadline, systemClock } from './clock.ts'

/**
 * Waits until readers have taken what was written, and ends the process.
 *
 * @param unreadMs how long a reader who takes nothing is waited for; absent, as long as he is there, like every
 * program in a pipe does.
 */
export async function endProcess(
  code: number,
  unreadMs?: number,
  clock: Clock = systemClock,
): Promise<never> {
  const taken = Promise.all([process.stdout, process.stderr].map(untilTaken))
  const limit = unreadMs === undefined ? null : deadline(clock, unreadMs)
  await (limit === null ? taken : Promise.race([taken, untilAborted(limit.signal)]))
  process.exit(code)
}

/** Also when nobody reads any more. */
function untilTaken(stream: NodeJS.WriteStream): Promise<void> {
  if (stream.destroyed || stream.writableLength === 0) return Promise.resolve()
  return new Promise((resolve) => {
    stream.once('close', resolve)
    // In order: it is called when all before it is written, or can not be.
    stream.write('', () => resolve())
  })
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
