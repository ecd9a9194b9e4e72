/** `caravan builds list`: the builds of a server, newest first. */
import type { BuildSummary } from '../../model/index.ts'
import type { Io } from '../io.ts'
import { EXIT, writeJsonLine } from '../io.ts'
import { createPalette, formatSeconds, paint } from '../render/text.ts'
import { toTable } from '../render/table.ts'
import type { ConnectOptions } from './connect.ts'
import { withServer } from './connect.ts'

export interface ListOptions extends ConnectOptions {
  limit: number
}

export function list(options: ListOptions, io: Io): Promise<number> {
  return withServer(options, async (api) => {
    const builds: BuildSummary[] = []
    for await (const build of api.listBuilds()) {
      builds.push(build)
      if (builds.length >= options.limit) break
    }
    if (options.json) await writeJsonLine(io.stdout, builds)
    else io.stdout.write(drawList(builds, io))
    return EXIT.ok
  })
}

function drawList(builds: readonly BuildSummary[], io: Io): string {
  if (builds.length === 0) return 'no builds yet\n'
  const palette = createPalette(io.stdout.isTTY === true && (io.env['NO_COLOR'] ?? '') === '')
  const rows = builds.map((build) => [
    String(build.number),
    `${build.org}/${build.repo}`,
    build.branch,
    build.job,
    String(build.parallelism),
    { text: build.state, paint: (text: string) => paint(palette, toPaint(build.state), text) },
    build.seconds === null ? '' : formatSeconds(build.seconds),
    build.id,
  ])
  return toTable(['BUILD', 'REPOSITORY', 'BRANCH', 'JOB', 'SLICES', 'STATE', 'TIME', 'ID'], rows)
}

function toPaint(state: BuildSummary['state']) {
  return state === 'queued' ? 'waiting' : state
}
