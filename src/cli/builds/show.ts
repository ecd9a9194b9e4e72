/** `caravan builds show`: one build with its slices and steps. */
import type { AttemptView, BuildView, SliceView, StepView } from '../../model/index.ts'
import type { Io } from '../io.ts'
import { EXIT, writeJsonLine } from '../io.ts'
import { createPalette, explainSlice, formatSeconds, formatVerdict, paint } from '../render/text.ts'
import type { Palette } from '../render/text.ts'
import { toSafeText } from '../render/hostile.ts'
import type { ConnectOptions } from './connect.ts'
import { withServer } from './connect.ts'

export function show(ref: string, options: ConnectOptions, io: Io): Promise<number> {
  return withServer(options, async (api) => {
    const build = await api.readBuild(ref)
    if (options.json) await writeJsonLine(io.stdout, build)
    else {
      const colours = io.stdout.isTTY === true && (io.env['NO_COLOR'] ?? '') === ''
      io.stdout.write(drawBuild(build, createPalette(colours)))
    }
    return EXIT.ok
  })
}

function drawBuild(build: BuildView, palette: Palette): string {
  const facts = [
    ['id', build.id],
    ['repository', `${build.org}/${build.repo}`],
    ['commit', `${build.sha || '-'} on ${build.branch}`],
    ['job', `${build.job} (${build.resource_class})`],
    ['created', build.created_at ?? '-'],
    ...(build.rerun_of === null ? [] : [['rerun of', `build ${build.rerun_of}`]]),
  ]
  const lines = [
    palette.bold(formatVerdict(build)),
    ...facts.map(([name, value]) => `  ${name?.padEnd(10)} ${toSafeText(value ?? '')}`),
    ...build.slices.flatMap((slice) => drawSlice(slice, palette)),
  ]
  return `${lines.join('\n')}\n`
}

function drawSlice(slice: SliceView, palette: Palette): string[] {
  const why = slice.state === 'succeeded' ? '' : toSafeText(` ${explainSlice(slice)}`)
  const place = slice.node_name === null ? '' : palette.dim(`  on ${toSafeText(slice.node_name)}`)
  const attempt = slice.epoch > 1 ? palette.dim(`  attempt ${slice.epoch}`) : ''
  return [
    '',
    `slice ${slice.index}  ${paint(palette, slice.state, slice.state)}${why}${place}${attempt}`,
    `  ${palette.dim(slice.nomad_job_id)}`,
    ...slice.steps.map((step) => drawStep(step, palette)),
    ...slice.earlier_attempts.flatMap((each) => drawAttempt(each, palette)),
    ...slice.notices.map(({ at, text }) =>
      palette.dim(`  !! ${at?.slice(11, 19)}  ${toSafeText(text)}`),
    ),
  ]
}

/** Only the steps that had begun: the others tell nothing. */
function drawAttempt(attempt: AttemptView, palette: Palette): string[] {
  const place = attempt.node_name === null ? '' : `  on ${attempt.node_name}`
  const time = attempt.seconds === null ? '' : `  ${formatSeconds(attempt.seconds)}`
  const begun = attempt.steps.filter((step) => step.state !== 'skipped')
  return [
    `  attempt ${attempt.epoch}  ${explainSlice(attempt)}${palette.dim(place + time)}`,
    ...begun.map((step) => `  ${drawStep(step, palette)}`),
  ]
}

function drawStep(step: StepView, palette: Palette): string {
  const time = step.seconds === null ? '' : formatSeconds(step.seconds)
  const code =
    step.exit_code === null || step.exit_code === 0 ? '' : `  exit code ${step.exit_code}`
  const name = toSafeText(step.name.split('\n', 1)[0] ?? '')
  const state = paint(palette, step.state, step.state.padEnd(10))
  return `  ${String(step.index).padStart(2)}  ${state} ${time.padStart(9)}  ${name}${code}`
}
