/** Processes of a bench do not outlive it, however it ends. */
import type { ChildProcess } from 'node:child_process'

/** Asks the process to end when this one does. */
export function endTogether(child: ChildProcess): void {
  const end = () => void child.kill('SIGTERM')
  process.once('exit', end)
  child.once('exit', () => process.off('exit', end))
}
