/** `caravan doctor`: what is missing or wrong, before a build finds it out. */
import { access, constants } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Settings } from '../model/index.ts'
import { formatProblem, isCaravanError, toResourceClasses } from '../model/index.ts'
import { describeCause, exec, readSettings, silentLog, systemClock } from '../platform/index.ts'
import type { NomadClient } from '../nomad/index.ts'
import { describeStore, judgeFit, loadSliceTemplate, toCapacity } from '../scheduler/index.ts'
import { createApiClient } from './api/client.ts'
import { openNomad, readTemplate } from './compose.ts'
import type { Io } from './io.ts'
import { EXIT, readProblems, writeJsonLine } from './io.ts'
import { toTable } from './render/table.ts'
import type { Palette } from './render/text.ts'
import { createPalette } from './render/text.ts'

export interface DoctorOptions {
  nomad?: string
  server?: string
  token?: string
  settings?: string
  json?: boolean
}

export interface Finding {
  check: string
  state: 'ok' | 'warning' | 'failed'
  detail: string
}

const HELPER_TIMEOUT_MS = 10_000

/** Exit code 0 when nothing failed, 2 when the settings are at fault, 3 for the rest. */
export async function doctor(options: DoctorOptions, io: Io): Promise<number> {
  const findings: Finding[] = []
  const report = (finding: Finding) => void findings.push(finding)

  report(await tryTo('git', () => readProgramVersion('git')))
  report(await tryTo('bash', checkBash))
  let settings: Settings | null = null
  report(
    await tryTo('settings', async () => {
      settings = await readSettings({ flags: options, env: io.env })
      return options.settings ?? 'from flags and environment'
    }),
  )
  if (settings !== null) for (const each of await checkWith(settings, options, io)) report(each)

  if (options.json) await writeJsonLine(io.stdout, findings)
  else io.stdout.write(drawFindings(findings, io))
  if (findings.every(({ state }) => state !== 'failed')) return EXIT.ok
  return settings === null ? EXIT.usage : EXIT.infrastructure
}

async function checkWith(settings: Settings, options: DoctorOptions, io: Io): Promise<Finding[]> {
  const template = await tryTo('job template', async () => {
    const { file, text } = await readTemplate(settings)
    await loadSliceTemplate(text, file)
    return file
  })
  const store = await tryTo('store', () =>
    describeStore(settings.store.url, resolve(settings.server.data_dir)),
  )
  // Without an address of one's own there is nothing to check: the embedded engine needs no doctor.
  const wanted = options.nomad ?? io.env['NOMAD_ADDR'] ?? options.settings
  const nomad =
    wanted === undefined
      ? [skipped('nomad', 'not checked: name one with --nomad')]
      : await checkNomad(settings)
  const server =
    options.server === undefined
      ? skipped('server', 'not checked: name one with --server')
      : await tryTo('server', () => checkServer(options.server ?? '', options.token))
  return [template, store, ...nomad, server]
}

async function checkNomad(settings: Settings): Promise<Finding[]> {
  const client = await openNomad(settings, silentLog)
  try {
    const reached = await tryTo('nomad', async () => {
      const leader = await client.leader()
      if (leader === null) throw new Error(`${settings.nomad.address} has no leader`)
      const version = await client.version()
      return `${settings.nomad.address}, ${version?.text ?? 'version unknown'}`
    })
    if (reached.state === 'failed') return [reached]
    return [reached, ...(await checkClasses(client, settings))]
  } finally {
    await client.close()
  }
}

async function checkClasses(client: NomadClient, settings: Settings): Promise<Finding[]> {
  const nodes: ReturnType<typeof toCapacity>[] = []
  for await (const page of client.listNodes()) {
    nodes.push(...page.items.map((node) => toCapacity(node, settings.nomad.datacenters)))
  }
  const usable = nodes.filter((node) => node.usable).length
  const state = usable > 0 ? 'ok' : 'warning'
  const count: Finding = {
    check: 'nodes',
    state,
    detail: `${usable} of ${nodes.length} take builds`,
  }
  const classes = [...toResourceClasses(settings.class).values()].map((each): Finding => {
    const check = `class ${each.name}`
    const fit = judgeFit(each, nodes)
    if (fit.kind === 'fits') return { check, state: 'ok', detail: 'some node can hold it' }
    const detail = fit.kind === 'never' ? fit.detail : 'no node is known yet'
    return { check, state: 'warning', detail }
  })
  return [count, ...classes]
}

async function checkServer(server: string, token: string | undefined): Promise<string> {
  const api = createApiClient({
    server,
    clock: systemClock,
    ...(token === undefined ? {} : { token }),
  })
  try {
    const health = await api.health()
    if (health.reasons.length > 0) throw new Error(health.reasons.join('; '))
    return `${server} is well`
  } finally {
    await api.close()
  }
}

async function checkBash(): Promise<string> {
  await access('/bin/bash', constants.X_OK).catch((cause: unknown) => {
    throw new Error('/bin/bash is missing: steps run in /bin/sh instead', { cause })
  })
  return '/bin/bash'
}

async function readProgramVersion(program: string): Promise<string> {
  const { stdout } = await exec(program, ['--version'], { timeoutMs: HELPER_TIMEOUT_MS })
  return stdout.toString('utf8').split('\n', 1)[0] ?? ''
}

/** A check that throws has failed; what it returns is its detail. */
async function tryTo(check: string, act: () => Promise<string>): Promise<Finding> {
  try {
    return { check, state: 'ok', detail: await act() }
  } catch (error) {
    const problems = isCaravanError(error) ? readProblems(error) : []
    const detail =
      problems.length > 0 ? problems.map(formatProblem).join('; ') : describeCause(error)
    return { check, state: 'failed', detail }
  }
}

function skipped(check: string, detail: string): Finding {
  return { check, state: 'ok', detail }
}

export function drawFindings(findings: readonly Finding[], io: Io): string {
  const palette = createPalette(io.stdout.isTTY === true && (io.env['NO_COLOR'] ?? '') === '')
  const rows = findings.map(({ check, state, detail }) => [
    { text: state, paint: (text: string) => paintState(palette, state, text) },
    check,
    detail,
  ])
  return toTable(['STATE', 'CHECK', 'DETAIL'], rows)
}

function paintState(palette: Palette, state: Finding['state'], text: string): string {
  if (state === 'ok') return palette.good(text)
  return state === 'failed' ? palette.bad(text) : palette.busy(text)
}
