/** The agenda gives back what is due, in time, and in the order in which it was put in. */
import fc from 'fast-check'
import t from 'tap'
import { Agenda } from '../../../../src/dev/aws/core/agenda.ts'

t.test('entries come out by time, those of one time in their order', (t) => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20 })), (times) => {
      const agenda = new Agenda()
      times.forEach((at, order) => agenda.add(at, { kind: 'group-settles', group: String(order) }))
      const expected = times
        .map((at, order) => ({ at, order }))
        .sort((a, b) => a.at - b.at || a.order - b.order)
      for (const { at, order } of expected) {
        if (agenda.nextAt !== at || agenda.take(at - 1) !== null) return false
        const taken = agenda.take(at)
        if (taken?.due.kind !== 'group-settles') return false
        if (taken.at !== at || taken.due.group !== String(order)) return false
      }
      return agenda.size === 0 && agenda.nextAt === null
    }),
  )
  t.end()
})
