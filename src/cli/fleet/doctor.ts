/** `caravan fleet doctor`: what is wrong with groups, hooks and permissions, before an instance has to go. */
import { examineGroup, type Finding } from '../../fleet/index.ts'
import type { Settings } from '../../model/index.ts'
import {
  createAws,
  describeCause,
  readSettings,
  systemClock,
  type Log,
} from '../../platform/index.ts'
import { drawFindings } from '../doctor.ts'
import { EXIT, usageError, writeJsonLine, type Io } from '../io.ts'
import { assertSight } from './sight.ts'
import { logOf, openImds, toldRegion, useNomad, type FleetOptions } from './connect.ts'

export interface FleetDoctorOptions extends FleetOptions {
  group?: string[]
  hook?: string
  /** Milliseconds. */
  longest?: number
  self?: boolean
  controller?: boolean
}

/** Exit code 0 when nothing failed, 3 otherwise. */
export async function fleetDoctorCommand(options: FleetDoctorOptions, io: Io): Promise<number> {
  const settings = await readSettings({ flags: options, env: io.env })
  const groups = groupsOf(options, settings, io)
  if (groups.length === 0 && !options.self) {
    throw usageError('name a group with --group NAME, or pools in the settings file')
  }
  const nomad = await checkNomad(settings, logOf(options, io))
  const findings = [nomad, nomad.state === 'ok' ? await checkSight(settings, io) : UNSEEN]
  if (options.self) findings.push(await checkMetadata(options, io))
  for (const { group, region } of groups) {
    const aws = createAws({ region, clock: systemClock })
    try {
      const question = {
        group,
        hook: options.hook,
        longestMs: options.longest ?? settings.limits.max_run_time,
        isController: options.controller === true,
      }
      findings.push(...(await examineGroup(aws, question)))
    } finally {
      aws.close()
    }
  }
  if (options.json) await writeJsonLine(io.stdout, findings)
  else io.stdout.write(drawFindings(findings, io))
  return findings.some(({ state }) => state === 'failed') ? EXIT.infrastructure : EXIT.ok
}

/** @throws CaravanError INPUT_INVALID for a group without a region. */
function groupsOf(
  options: FleetDoctorOptions,
  settings: Settings,
  io: Io,
): { group: string; region: string }[] {
  if (options.group === undefined)
    return settings.pool.map(({ group, region }) => ({ group, region }))
  const region = toldRegion(options, io)
  if (region === null) throw usageError('say which region: --region NAME, or AWS_REGION')
  return options.group.map((group) => ({ group, region }))
}

async function checkNomad(settings: Settings, log: Log): Promise<Finding> {
  return tryTo('nomad', () =>
    useNomad(settings, log, async (nomad) => {
      let count = 0
      for await (const { items } of nomad.listNodes()) count += items.length
      return `${count} nodes`
    }),
  )
}

/** Nobody can tell what a token may see in a Nomad that is away. */
const UNSEEN: Finding = {
  check: 'nomad token',
  state: 'warning',
  detail: 'not known while Nomad can not be read',
}

/** Nomad leaves out of its lists what a token may not see: a busy node would look empty. */
async function checkSight({ nomad }: Settings, io: Io): Promise<Finding> {
  return tryTo('nomad token', async () => {
    await assertSight({ nomad }, io.signal)
    return 'sees all namespaces, as far as can be told'
  })
}

/** What the daemon on an instance asks. */
async function checkMetadata(options: FleetDoctorOptions, io: Io): Promise<Finding> {
  return tryTo('metadata', async () => {
    const imds = openImds(options, io)
    try {
      const [instance, target] = [await imds.instanceId(), await imds.targetState()]
      return `${instance}, ${target ?? 'in no group'}`
    } finally {
      await imds.close()
    }
  })
}

async function tryTo(check: string, act: () => Promise<string>): Promise<Finding> {
  try {
    return { check, state: 'ok', detail: await act() }
  } catch (cause) {
    return { check, state: 'failed', detail: describeCause(cause) }
  }
}
