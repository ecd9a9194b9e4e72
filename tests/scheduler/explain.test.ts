import t from 'tap'
import type { AllocationMetric } from '../../src/nomad/index.ts'
import { explainEvaluations, explainPlacement, isGivenUp } from '../../src/scheduler/explain.ts'
import { anEvaluation } from './support/nomad.ts'

function aMetric(more: Partial<AllocationMetric>): AllocationMetric {
  return { NodesEvaluated: 3, NodesFiltered: 0, NodesExhausted: 0, ...more }
}

const ROWS: [Partial<AllocationMetric>, string][] = [
  [
    { NodesExhausted: 3, DimensionExhausted: { memory: 3 } },
    'waits for capacity: memory exhausted on 3 nodes',
  ],
  [
    { NodesExhausted: 3, DimensionExhausted: { cpu: 1, memory: 2 } },
    'waits for capacity: memory exhausted on 2 nodes, cpu exhausted on 1 node',
  ],
  [
    {
      NodesFiltered: 1,
      ClassFiltered: { 'linux-arm': 1 },
      ConstraintFiltered: { '${node.class} = linux-64bit': 1 },
    },
    'waits for a fitting node: 1 node fails "${node.class} = linux-64bit"',
  ],
  [
    { DimensionExhausted: { memory: 1 }, ConstraintFiltered: { 'missing drivers': 2 } },
    'waits for capacity: memory exhausted on 1 node, 2 nodes fail "missing drivers"',
  ],
  [
    { ClassFiltered: { 'linux-arm': 2 }, ConstraintFiltered: null },
    'waits for a fitting node: 2 nodes of class linux-arm ruled out',
  ],
  [{ NodesExhausted: 1, DimensionExhausted: null }, 'waits for capacity: 1 node is full'],
  [{ NodesEvaluated: 0 }, 'waits for a node: none of the cluster takes work'],
]

t.test('B41, B42: each kind of failed placement has its sentence', (t) => {
  for (const [metric, sentence] of ROWS) t.equal(explainPlacement(aMetric(metric)), sentence)
  t.end()
})

t.test('the newest evaluation that failed to place is the one that is told', (t) => {
  const failing = (memory: number) => ({
    FailedTGAllocs: { slice: aMetric({ DimensionExhausted: { memory } }) },
  })
  const evaluations = [
    anEvaluation({ ModifyIndex: 5, ...failing(1) }),
    anEvaluation({ ModifyIndex: 9, Status: 'blocked', ...failing(2) }),
    anEvaluation({ ModifyIndex: 7, FailedTGAllocs: null }),
  ]
  t.equal(explainEvaluations(evaluations), 'waits for capacity: memory exhausted on 2 nodes')
  t.equal(explainEvaluations([anEvaluation()]), null)
  t.end()
})

t.test('Nomad gave up when the last evaluation failed, whatever it will do in minutes', (t) => {
  const failed = anEvaluation({ Status: 'failed', CreateIndex: 5 })
  const followUp = { TriggeredBy: 'failed-follow-up', Status: 'pending', CreateIndex: 6 } as const
  t.equal(isGivenUp([failed]), true)
  t.equal(isGivenUp([anEvaluation({ ...followUp }), failed]), true)
  t.equal(isGivenUp([failed, anEvaluation({ Status: 'complete', CreateIndex: 7 })]), false)
  t.equal(isGivenUp([failed, anEvaluation({ Status: 'pending', CreateIndex: 7 })]), false)
  t.equal(isGivenUp([failed, anEvaluation({ Status: 'blocked', CreateIndex: 4 })]), false)
  t.equal(isGivenUp([]), false)
  t.end()
})
