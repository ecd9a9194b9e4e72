/** `caravan builds cancel`: asks every live slice of a build to end. */
import { isResult } from '../../model/index.ts'
import type { Io } from '../io.ts'
import { EXIT, writeJsonLine } from '../io.ts'
import type { ConnectOptions } from './connect.ts'
import { withServer } from './connect.ts'

export function cancel(ref: string, options: ConnectOptions, io: Io): Promise<number> {
  return withServer(options, async (api) => {
    const build = await api.cancelBuild(ref)
    if (options.json) await writeJsonLine(io.stdout, build)
    else if (isResult(build.state))
      io.stdout.write(`build ${build.number} is over: ${build.state}\n`)
    else io.stdout.write(`build ${build.number} is being canceled\n`)
    return EXIT.ok
  })
}
