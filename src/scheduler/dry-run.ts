/** What would be registered with Nomad, told without a server, a store or a Nomad. */
import { toResourceClasses, type BuildRequest, type DryRunAnswer } from '../model/index.ts'
import { renderBuild } from './intake.ts'
import { buildSliceJob, resourceClassOf } from './job-builder.ts'
import type { SchedulerDeps } from './ports.ts'
import { loadSliceTemplate } from './template/index.ts'

export type DryRunDeps = Pick<
  SchedulerDeps,
  'settings' | 'template' | 'agentCommand' | 'publicUrl' | 'clock' | 'random'
>

/** What there is none of without a server. */
const NO_INSTALL = 'none'
const FIRST_NUMBER = 1

/** @throws CaravanError CONFIG_INVALID, INPUT_INVALID or TEMPLATE_INVALID. */
export async function dryRun(request: BuildRequest, deps: DryRunDeps): Promise<DryRunAnswer> {
  const { settings, agentCommand } = deps
  const template = await loadSliceTemplate(deps.template.text, deps.template.file)
  const classes = toResourceClasses(settings.class)
  const { slices, warnings } = await renderBuild(request, FIRST_NUMBER, {
    ...deps,
    classes,
    buildJob: async (build, slice) =>
      buildSliceJob({
        build,
        slice,
        earlier: [],
        template,
        settings,
        agentCommand,
        resourceClass: resourceClassOf(build.resource_class, classes),
        installId: NO_INSTALL,
        url: deps.publicUrl(),
        claimToken: '',
        version: null,
      }),
  })
  return { slices, warnings }
}
