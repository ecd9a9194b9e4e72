/** `caravan run`: one build of the checkout, followed to its end. */
import { createReadStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BuildRequestInput, DryRunAnswer } from '../model/index.ts'
import { buildRequest, settings } from '../model/index.ts'
import type { Checkout } from '../platform/index.ts'
import { systemClock, writeBundle } from '../platform/index.ts'
import type { ApiClient } from './api/client.ts'
import { createApiClient } from './api/client.ts'
import { showToEnd } from './follow.ts'
import type { Io } from './io.ts'
import { EXIT, usageError, writeJsonLine } from './io.ts'
import type { RequestOptions } from './request.ts'
import { planRequest } from './request.ts'

export interface RunOptions extends RequestOptions {
  server?: string
  token?: string
  nomad?: string
  json?: boolean
  detach?: boolean
  dryRun?: boolean
}

/** @returns the exit code: 0 succeeded, 1 not succeeded, 2 bad input, 3 infrastructure, 130 interrupted. */
export async function run(options: RunOptions, io: Io): Promise<number> {
  if (options.detach && options.server === undefined) {
    throw usageError('--detach needs --server: without one, the build ends with this command')
  }
  if (options.server !== undefined && options.nomad !== undefined) {
    throw usageError(
      '--nomad belongs to a server of your own: the one you named has its Nomad already',
    )
  }
  const planned = await planRequest(options, io.cwd)
  for (const warning of planned.warnings) io.stderr.write(`caravan: ${warning}\n`)
  const workspace = await mkdtemp(join(tmpdir(), 'caravan-'))
  try {
    if (options.dryRun) return await dryRun(planned.request, options, io)
    const stack = await openServer(options, planned.request, workspace, io)
    try {
      const source = planned.bundleFrom
      return await submit(stack.api, { ...planned, source, workspace }, options, io)
    } finally {
      await stack.close()
    }
  } finally {
    await rm(workspace, { recursive: true, force: true })
  }
}

interface Stack {
  api: ApiClient
  close(): Promise<void>
}

/** The server that was named, or one of our own for this build only. */
async function openServer(
  options: RunOptions,
  request: BuildRequestInput,
  workspace: string,
  io: Io,
): Promise<Stack> {
  if (options.server !== undefined) return connect(options.server, options)
  const { checkConfig, startDevelopmentStack } = await import('./development.ts')
  // A mistake in the file is told at once, before anything is started.
  checkConfig(buildRequest.parse(request))
  const stack = await startDevelopmentStack({
    dataDir: join(workspace, 'data'),
    apiPort: 0,
    nomadPort: 0,
    nomadUrl: options.nomad,
    io,
    // The build's own output is what the person wants to read.
    logLevel: 'error',
  })
  const connection = connect(stack.api, options)
  return {
    api: connection.api,
    async close() {
      await connection.close()
      await stack.close()
    },
  }
}

function connect(server: string, options: { token?: string }): Stack {
  const { token } = options
  const api = createApiClient({
    server,
    clock: systemClock,
    ...(token === undefined ? {} : { token }),
  })
  return { api, close: () => api.close() }
}

interface Submission {
  request: BuildRequestInput
  source: Checkout | null
  workspace: string
}

async function submit(
  api: ApiClient,
  submission: Submission,
  options: RunOptions,
  io: Io,
): Promise<number> {
  const request = { ...submission.request }
  if (submission.source !== null) {
    const bundle = await writeBundle(submission.source, submission.workspace)
    request.source = { kind: 'bundle', id: await api.uploadSource(() => createReadStream(bundle)) }
  }
  const build = await api.createBuild(request)
  return showToEnd(api, build, options, { io, clock: systemClock })
}

async function dryRun(request: BuildRequestInput, options: RunOptions, io: Io): Promise<number> {
  const answer = await planSlices(request, options)
  for (const warning of answer.warnings) io.stderr.write(`caravan: ${warning}\n`)
  for (const slice of answer.slices) await writeJsonLine(io.stdout, slice)
  return EXIT.ok
}

/** The server that was named has its own template and classes; without one, nothing is started. */
async function planSlices(request: BuildRequestInput, options: RunOptions): Promise<DryRunAnswer> {
  if (options.server === undefined) {
    const { renderRequest } = await import('./compose.ts')
    return renderRequest(buildRequest.parse(request), settings.parse({}))
  }
  const connection = connect(options.server, options)
  try {
    return await connection.api.dryRun(request)
  } finally {
    await connection.close()
  }
}
