/** Whose a container is, and what becomes of those whose agent is gone. */
import { type DockerEngine, type Labelled, type Log } from '../../../platform/index.ts'
import { isSameProcess, readBirth } from '../../sweep/record.ts'

const LABELS = {
  slice: 'io.caravan.slice',
  epoch: 'io.caravan.epoch',
  /** Process of the agent, and what tells it from a later one with the same number. */
  pid: 'io.caravan.agent.pid',
  birth: 'io.caravan.agent.birth',
} as const

/** Of everything that the agent with this process makes. */
export async function toLabels(
  slice: string,
  epoch: number,
  pid: number,
): Promise<Record<string, string>> {
  return {
    [LABELS.slice]: slice,
    [LABELS.epoch]: String(epoch),
    [LABELS.pid]: String(pid),
    [LABELS.birth]: await readBirth(pid),
  }
}

/**
 * Removes containers and networks that agents of this machine have left.
 *
 * @returns how many went, and how many are still there.
 */
export async function sweepContainers(
  engine: Pick<DockerEngine, 'labelled' | 'remove'>,
  log: Log,
): Promise<{ removed: number; kept: number }> {
  const swept = { removed: 0, kept: 0 }
  for (const found of await engine.labelled(LABELS.pid)) {
    if (await isInUse(found)) continue
    try {
      await engine.remove(found)
      swept.removed += 1
    } catch (cause) {
      swept.kept += 1
      log.warn('something that an agent left can not be removed', { kind: found.kind, cause })
    }
  }
  if (swept.removed > 0) log.info('what agents left in Docker was removed', { ...swept })
  return swept
}

async function isInUse({ labels }: Labelled): Promise<boolean> {
  const pid = Number(labels[LABELS.pid])
  return await isSameProcess({ pid, birth: labels[LABELS.birth] ?? '' })
}
