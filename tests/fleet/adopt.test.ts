/** A memory that is taken over: the clock that its times come from may be off by minutes. */
import t from 'tap'
import { adoptMemory } from '../../src/fleet/adopt.ts'
import { emptyMemory, newUnit, type PoolMemory, type UnitMemory } from '../../src/fleet/memory.ts'
import { MINUTE, NOW } from './support/views.ts'

function aMemory(atMs: number): PoolMemory {
  return {
    ...emptyMemory('linux'),
    asked: { desired: 4, atMs },
    foreignMs: atMs,
    backoff: { capacity: { failures: 2, untilMs: atMs + MINUTE } },
    gone: { 'n-1': atMs },
    units: new Map([['i-1', aUnit(atMs)]]),
  }
}

function aUnit(atMs: number): UnitMemory {
  return {
    ...newUnit(atMs),
    readyMs: atMs,
    idleSinceMs: atMs,
    emptySinceMs: atMs,
    cordon: { reason: 'idle', askedMs: atMs, seenMs: atMs },
    unfitSinceMs: atMs,
    committedMs: atMs,
    waitingSinceMs: atMs,
    drainedMs: atMs,
  }
}

t.test('what proves begins again, whatever the other clock showed', async (t) => {
  for (const atMs of [NOW - 60 * MINUTE, NOW - 1, NOW + 60 * MINUTE]) {
    const { units, gone } = adoptMemory(aMemory(atMs), 0, NOW)
    const unit = units.get('i-1')
    t.same(
      [unit?.emptySinceMs, unit?.unfitSinceMs, unit?.committedMs, unit?.drainedMs],
      [NOW, NOW, NOW, NOW],
    )
    t.equal(unit?.cordon?.seenMs, NOW)
    t.same(gone, {})
    const booting = { ...emptyMemory('linux'), units: new Map([['i-2', newUnit(atMs)]]) }
    const { firstSeenMs } = adoptMemory(booting, 0, NOW).units.get('i-2') ?? {}
    t.equal(firstSeenMs, NOW, 'its node has all of its time to come')
  }
})

t.test(
  'nothing lies in the future, and what is known of the other clock is taken off',
  async (t) => {
    const unknown = adoptMemory(aMemory(NOW + 5 * MINUTE), 0, NOW)
    t.equal(unknown.units.get('i-1')?.waitingSinceMs, NOW)
    t.equal(unknown.asked?.atMs, NOW)
    const known = adoptMemory(aMemory(NOW + 5 * MINUTE), 15 * MINUTE, NOW)
    t.equal(
      known.units.get('i-1')?.waitingSinceMs,
      NOW - 10 * MINUTE,
      'its cap comes as early as it does',
    )
    t.equal(known.backoff.capacity?.untilMs, NOW - 9 * MINUTE)
  },
)

t.test('what never was is not made up, and the given one is not changed', async (t) => {
  const ready = { ...newUnit(NOW - MINUTE), readyMs: NOW - MINUTE }
  const memory = { ...emptyMemory('linux'), units: new Map([['i-1', ready]]) }
  const before = structuredClone(memory)
  t.same(adoptMemory(memory, 0, NOW), before)
  t.same(memory, before)
})
