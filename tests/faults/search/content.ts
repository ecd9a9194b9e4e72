/** The work of slices: scripts whose output and side effects are known beforehand. */
import type { BuildPlan, StepPlan } from './plan.ts'

/** Names a step of a seed, in its output and in the file of its effects. */
export function toKey(build: number, slice: number, step: number): string {
  return `b${build}-s${slice}-t${step}`
}

/** All that a step writes, when nobody stops it. */
export function expectedOutput(key: string, { lines }: StepPlan): string {
  let text = ''
  for (let line = 1; line <= lines; line++) text += `${key} line ${line} of ${lines}\n`
  return text
}

/**
 * Sourced by every step. The folder of the agent's own files, which no two attempts share, tells the
 * attempts apart; each writes down when it began and when it was through.
 */
export const STEP_SCRIPT = `
note() { echo "$1 \${CIRCLE_INTERNAL_TASK_DATA##*/} $EPOCHREALTIME" >> "$SEARCH_DIR/effects/$key"; }
note begin
half=$(((lines + 1) / 2))
for ((line = 1; line <= lines; line++)); do
  echo "$key line $line of $lines"
  if [ "$line" = "$half" ] && [ "$pause" != 0 ]; then sleep "$pause"; fi
done
note end
exit "$code"
`

/** One job whose slices differ by their index. */
export function toConfig(build: number, plan: BuildPlan): string {
  const stepCount = Math.max(...plan.slices.map((steps) => steps.length))
  const steps = Array.from({ length: stepCount }, (_, step) => {
    const cases = plan.slices.map((each, slice) => {
      const own = each[step]
      if (own === undefined) return `            ${slice}) ${unplanned(each)} ;;`
      const pause = own.pauseMs / 1000
      return `            ${slice}) lines=${own.lines} pause=${pause} code=${own.exitCode} ;;`
    })
    return [
      '      - run:',
      `          name: step ${step}`,
      '          command: |',
      '            case $CIRCLE_NODE_INDEX in',
      ...cases,
      '            esac',
      `            key=b${build}-s$CIRCLE_NODE_INDEX-t${step}`,
      '            . "$SEARCH_DIR/step.sh"',
    ].join('\n')
  })
  return `version: 2.1\njobs:\n  search:\n    machine: true\n    parallelism: ${plan.slices.length}\n    steps:\n${steps.join('\n')}\n`
}

/** A slice with fewer steps does nothing in the others; behind one that fails, nothing may run at all. */
function unplanned(steps: readonly StepPlan[]): string {
  const isFailed = steps.some(({ exitCode }) => exitCode !== 0)
  return isFailed ? 'exit 99' : 'exit 0'
}
