/** Shows a build until it is over, and turns its end into an exit code. */
import type { BuildView } from '../model/index.ts'
import { CaravanError, REASONS } from '../model/index.ts'
import type { Clock } from '../platform/index.ts'
import type { ApiClient } from './api/client.ts'
import type { Io } from './io.ts'
import { EXIT, writeJsonLine } from './io.ts'
import { inOrder } from './render/in-order.ts'
import { createJsonRenderer } from './render/json.ts'
import { createLiveRenderer } from './render/live.ts'
import { createPlainRenderer } from './render/plain.ts'
import type { Renderer } from './render/renderer.ts'
import { createPalette } from './render/text.ts'

interface FollowOptions {
  api: ApiClient
  build: string
  renderer: Renderer
  /** Aborts when the person has had enough: the build is canceled and followed to its end. */
  interrupted: AbortSignal
}

function chooseRenderer(io: Io, clock: Clock, json: boolean): Renderer {
  const { stdout } = io
  if (json) return createJsonRenderer(stdout)
  const dumb = io.env['TERM'] === 'dumb' || io.env['CI'] !== undefined
  if (stdout.isTTY !== true || dumb) return inOrder(createPlainRenderer(stdout))
  const palette = createPalette((io.env['NO_COLOR'] ?? '') === '')
  return createLiveRenderer({ stdout, clock, palette })
}

/** @returns the build in its final state. */
export async function followBuild(options: FollowOptions): Promise<BuildView> {
  const { api, build, renderer, interrupted } = options
  const cancel = () => void api.cancelBuild(build).catch(() => undefined)
  interrupted.addEventListener('abort', cancel, { once: true })
  if (interrupted.aborted) cancel()
  let last: BuildView | null = null
  try {
    for await (const event of api.follow(build, { output: true })) {
      if (event.type === 'build') last = event.build
      await renderer.event(event)
    }
    if (last === null) throw new CaravanError('SERVER_ERROR', `the server told nothing of ${build}`)
    await renderer.end(last)
    return last
  } finally {
    interrupted.removeEventListener('abort', cancel)
    renderer.close()
  }
}

/**
 * What `run` and `rerun` do with a build that was just accepted.
 *
 * @returns the exit code.
 */
export async function showToEnd(
  api: ApiClient,
  build: BuildView,
  options: { detach?: boolean; json?: boolean },
  { io, clock }: { io: Io; clock: Clock },
): Promise<number> {
  for (const warning of build.warnings) io.stderr.write(`caravan: ${warning}\n`)
  if (options.detach) {
    const { id, number } = build
    if (options.json) await writeJsonLine(io.stdout, { type: 'submitted', id, number })
    else io.stdout.write(`build ${number} submitted: caravan builds show ${number}\n`)
    return EXIT.ok
  }
  const renderer = chooseRenderer(io, clock, options.json ?? false)
  const last = await followBuild({ api, build: build.id, renderer, interrupted: io.signal })
  return io.signal.aborted ? EXIT.interrupted : toExitCode(last)
}

/** 0 success, 1 the build did not succeed, 3 not the build's fault. */
export function toExitCode(build: BuildView): number {
  if (build.state === 'succeeded') return EXIT.ok
  if (build.reason !== null) return REASONS[build.reason].exitCode
  return build.state === 'infrastructure_failed' ? EXIT.infrastructure : EXIT.notSucceeded
}
