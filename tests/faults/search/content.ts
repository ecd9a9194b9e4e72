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
      const { lines, pauseMs, exitCode } = each[step] ?? NEVER
      return `            ${slice}) lines=${lines} pause=${pauseMs / 1000} code=${exitCode} ;;`
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

/** Behind a step that fails: it must not run. */
const NEVER: StepPlan = { lines: 1, pauseMs: 0, exitCode: 99 }
