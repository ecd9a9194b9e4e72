/**
 * Busy machines are protected from scale-in, idle ones are not: policies of others, zone rebalancing and a
 * changed desired size then find idle ones. Pure.
 *
 * Protection that somebody else has put is never taken off.
 */
import { act, type Draft } from './draft.ts'
import { isBusy, note, type Unit } from './unit.ts'

export function syncProtection(draft: Draft): void {
  const { view, policy, units } = draft
  if (view.group === null || !view.isNomadKnown) return
  const change = (kind: 'protect' | 'unprotect', chosen: Unit[], reason: string) => {
    if (chosen.length === 0) return
    const instanceIds = chosen.map(({ id }) => id)
    act(draft, { kind, pool: policy.name, group: policy.group, instanceIds }, reason)
  }
  const unprotected: Unit[] = []
  const idle: Unit[] = []
  for (const unit of units) {
    const { member, node } = unit.view
    if (member.lifecycle !== 'InService') continue
    // One whose node never came holds up whoever would replace it.
    if (node === null && unit.state !== 'missing') continue
    if (isBusy(unit.view)) {
      if (!member.isProtected && unit.state !== 'committing') unprotected.push(unit)
    } else if (member.isProtected && unit.memory.isProtectedByUs) idle.push(unit)
  }
  // Remembered before it is done: a protection whose answer is lost would be taken for somebody else's.
  for (const unit of unprotected) {
    if (!unit.memory.isProtectedByUs) note(unit, { isProtectedByUs: true })
  }
  change('protect', unprotected, 'slices run on them')
  change('unprotect', idle, 'nothing runs on them')
}
