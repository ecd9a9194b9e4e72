/** Images: there already, or pulled with patience where patience helps. */
import { CaravanError, isCaravanError } from '../../../model/index.ts'
import {
  backoffMs,
  type Clock,
  type DockerEngine,
  type ImageFacts,
  type RandomSource,
  type RegistryLogin,
  sleep,
} from '../../../platform/index.ts'

export interface PullDeps {
  engine: Pick<DockerEngine, 'image' | 'pull'>
  clock: Clock
  random: RandomSource
  /** First pause after a failure of the registry. */
  retryBaseMs: number
  signal: AbortSignal
  say: (line: string) => void
}

export interface ImageRequest {
  image: string
  auth?: { username: string; password: string }
}

/** The image can not be had, whatever is tried: the user's to mend. */
export class ImageMissing extends Error {
  override readonly name = 'ImageMissing'
}

/** Images with these names are made on the machine, for examples and tests. */
const EXAMPLE = /^caravan-example\//
const MAKE_EXAMPLES = '`bash scripts/example-images.sh` in a checkout of Caravan makes it'

const TRIES_MAX = 4
const PAUSE_MAX_MS = 30_000

/**
 * One that the engine has is not pulled again, as `docker run` does it.
 *
 * @throws ImageMissing at once for a name, tag or login that the registry refuses; CaravanError DOCKER_FAILED
 *   when registry or engine failed every time.
 */
export async function provideImage(request: ImageRequest, deps: PullDeps): Promise<ImageFacts> {
  const { engine, clock, random, signal, say } = deps
  const { image } = request
  for (let tries = 1; ; tries++) {
    try {
      const present = await engine.image(image)
      if (present !== null) {
        say(`${image}: is here already`)
        return present
      }
      if (EXAMPLE.test(image))
        throw new ImageMissing(`${image} is in no registry: ${MAKE_EXAMPLES}`)
      await pull(request, deps)
      const pulled = await engine.image(image)
      if (pulled !== null) return pulled
      throw new CaravanError('DOCKER_FAILED', `Docker pulled ${image} and does not have it`)
    } catch (cause) {
      if (signal.aborted || cause instanceof ImageMissing) throw cause
      const why = isCaravanError(cause) ? cause.message : String(cause)
      if (isFinal(why)) throw new ImageMissing(`${image} can not be pulled: ${why}`, { cause })
      if (tries === TRIES_MAX) {
        const message = `${image} could not be pulled in ${tries} tries`
        throw new CaravanError('DOCKER_FAILED', message, { cause })
      }
      const baseMs = deps.retryBaseMs
      const pauseMs = backoffMs(tries - 1, {
        baseMs,
        maxMs: PAUSE_MAX_MS,
        random: () => random.number(),
      })
      say(`${image}: ${why}; trying again in ${(pauseMs / 1000).toFixed(1)} s`)
      await sleep(clock, pauseMs, signal)
    }
  }
}

/** What no repetition mends: registries and Docker have no codes for it that reach us, only words. */
const FINAL = [
  /manifest (?:for .+ )?(?:unknown|not found)/i,
  /pull access denied/i,
  /repository .*(?:does not exist|not found)/i,
  /invalid reference format|invalid repository name/i,
  /unauthorized|authentication required|incorrect username or password|denied/i,
  /no matching manifest/i,
  /name unknown|\bnot found$/i,
]

/** Says of itself that it passes, whatever other words it uses. */
const PASSING = /toomanyrequests|too many requests|rate limit|timeout|\b50[0-9]\b/i

/** Whether a failed pull will fail in the same way again. */
export function isFinal(why: string): boolean {
  return !PASSING.test(why) && FINAL.some((pattern) => pattern.test(why))
}

async function pull({ image, auth }: ImageRequest, deps: PullDeps): Promise<void> {
  const { engine, clock, say, signal } = deps
  const login: RegistryLogin | undefined = auth && { ...auth, serveraddress: toRegistry(image) }
  say(`${image}: pulling`)
  const startedMs = clock.monotonic()
  let toldMs = startedMs
  const layers = new Map<string, boolean>()
  const options = { signal, ...(login === undefined ? {} : { auth: login }) }
  for await (const { layer, status } of engine.pull(toFullName(image), options)) {
    if (layer !== null && /^[0-9a-f]{12}$/.test(layer)) {
      layers.set(layer, /^(?:Pull complete|Already exists)$/.test(status))
    }
    if (clock.monotonic() - toldMs < PROGRESS_MS) continue
    toldMs = clock.monotonic()
    say(`${image}: ${[...layers.values()].filter(Boolean).length} of ${layers.size} layers`)
  }
  if (signal.aborted) throw new CaravanError('DOCKER_FAILED', `the pull of ${image} was ended`)
  say(`${image}: pulled in ${((clock.monotonic() - startedMs) / 1000).toFixed(1)} s`)
}

/** Often enough to see that it goes on. */
const PROGRESS_MS = 2000

/** Without a tag or digest the engine would pull every tag there is. */
export function toFullName(image: string): string {
  const last = image.slice(image.lastIndexOf('/') + 1)
  return last.includes(':') || last.includes('@') ? image : `${image}:latest`
}

/** The host in the name of an image; empty for the engine's own registry. */
export function toRegistry(image: string): string {
  const first = image.split('/', 1)[0] ?? ''
  const isHost = image.includes('/') && (/[.:]/.test(first) || first === 'localhost')
  return isHost ? first : ''
}
