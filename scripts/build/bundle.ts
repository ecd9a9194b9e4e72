/** What esbuild makes of the sources, and which files of which packages went into it. */
import { readFile, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { build, type BuildOptions, type Metafile, type Plugin } from 'esbuild'

const MAIN = 'src/cli/main.ts'
const AGENT = 'src/cli/agent-main.ts'
const METRICS = 'src/cli/metrics-main.ts'
/** What is started by its path: see `ownProgram`. */
const PROGRAMS = ['src/build-agent/step-cli/main.ts', 'src/scheduler/store/sqlite/worker.ts']

/** Two folders below the root, as all sources are that look for files of their own. */
const COMMANDS = 'dist/cli'
const OWN_FILES = 'src/platform/own-files.ts'

/** Native parts, which fit one machine only. Those who look for them do without, or say what is missing. */
const NATIVE = ['pg-native', 'unix-dgram', 'cpu-features', '*.node']
/** dockerode loads them at its start, and only uses them to build images, which we do not. */
const NEVER_USED = /^(?:@grpc\/(?:grpc-js|proto-loader)|protobufjs)$/

/**
 * Their CommonJS, which `main` names, has no names any more when a bundle imports it later; and nothing of it
 * can be left out.
 */
const AS_MODULES = Object.fromEntries(
  ['auto-scaling', 'ec2', 'secrets-manager'].map((client) => {
    const name = `@aws-sdk/client-${client}`
    return [name, `${name}/dist-es/index.js`]
  }),
)

/** What CommonJS finds in its scope, which an ES module has not. */
const COMMON_JS = `import { createRequire as $createRequire } from 'node:module'
const require = $createRequire(import.meta.url)
const { dirname: __dirname, filename: __filename } = import.meta`

const common = {
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  banner: { js: COMMON_JS },
  external: NATIVE,
  alias: AS_MODULES,
  // Lines stay as they are: a stack names functions that can be found, and no map has to be read.
  minify: false,
  legalComments: 'none',
  metafile: true,
  logLevel: 'warning',
} as const satisfies BuildOptions

/**
 * Bundles the sources below `root` into its `dist/`, which is emptied first.
 *
 * @returns what went in, by path below `root`.
 * @throws Error with what esbuild found wrong.
 */
export async function bundle(root: string): Promise<string[]> {
  await rm(join(root, 'dist'), { recursive: true, force: true })
  const plugins = [shakeZod(join(root, 'src')), leaveOut(NEVER_USED), keepHclParser()]
  const own = { ...common, absWorkingDir: root, plugins }
  const results = await Promise.all([
    // A build each: files that two need would else be shared, and one load what only the other needs.
    build({
      ...own,
      ...split('agent'),
      entryPoints: [AGENT],
      plugins: [...plugins, spareHttp()],
    }),
    build({
      ...own,
      ...split('metrics'),
      entryPoints: [METRICS],
      // Speaks by Node's own HTTP; hot-shots asserts for streams, which are not used.
      plugins: [...plugins, leaveOut(/^(?:undici\/.*|assert)$/)],
    }),
    build({ ...own, ...split('part'), entryPoints: [MAIN] }),
    build({ ...own, outbase: 'src', outdir: 'dist', entryPoints: [...PROGRAMS] }),
    // By itself and dense: printed over many lines, the compiled Go is twice as long.
    build({
      ...common,
      absWorkingDir: root,
      stdin: { contents: "export { default } from 'hcl2-parser'", resolveDir: root },
      outfile: `${COMMANDS}/hcl2-parser.js`,
      minifyWhitespace: true,
    }),
  ])
  const inputs = new Set<string>()
  for (const { metafile } of results) {
    const reached = findReached(metafile)
    for (const [path, { inputs: parts }] of Object.entries(metafile.outputs)) {
      if (!reached.has(path)) await rm(join(root, path))
      else for (const input of checkPlace(path, Object.keys(parts))) inputs.add(input)
    }
  }
  return [...inputs].sort()
}

/** @param name what the files that are loaded when they are needed begin with. */
function split(name: string) {
  return { splitting: true, outdir: COMMANDS, chunkNames: `${name}-[hash]` } as const
}

/** Of `import { z }` esbuild keeps all of zod, its fifty languages too; of `import * as z` what is used. */
function shakeZod(sources: string): Plugin {
  return {
    name: 'shake-zod',
    setup(own) {
      own.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        if (!resolve(path).startsWith(sources)) return null
        const text = await readFile(path, 'utf8')
        const contents = text.replace(/^import \{ z \} from 'zod'$/m, "import * as z from 'zod'")
        return { contents, loader: 'ts' }
      })
    },
  }
}

/**
 * Node's own HTTP takes a third of an agent's start to load. Of it undici needs a number, and a class that it
 * compares with: nothing that an agent sends is a message of Node's HTTP. HTTP/2 we never ask for, and undici
 * does without when it is not there.
 */
function spareHttp(): Plugin {
  const contents: Readonly<Record<string, string>> = {
    'node:http': 'module.exports = { maxHeaderSize: 16384, IncomingMessage: class {} }',
    'node:http2': "throw new Error('left out of the bundle')",
  }
  return {
    name: 'spare-http',
    setup(own) {
      own.onResolve({ filter: /^node:http2?$/ }, ({ path, importer }) =>
        /node_modules\/undici\//.test(importer) ? { path, namespace: 'spare-http' } : null,
      )
      own.onLoad({ filter: /.*/, namespace: 'spare-http' }, ({ path }) => ({
        contents: contents[path] ?? '',
      }))
    },
  }
}

function leaveOut(filter: RegExp): Plugin {
  return {
    name: 'leave-out',
    setup(own) {
      own.onResolve({ filter }, ({ path }) => ({ path, namespace: 'left-out' }))
      own.onLoad({ filter: /.*/, namespace: 'left-out' }, () => ({
        contents: 'module.exports = {}',
      }))
    },
  }
}

function keepHclParser(): Plugin {
  return {
    name: 'keep-hcl2-parser',
    setup(own) {
      own.onResolve({ filter: /^hcl2-parser$/ }, () => ({
        path: './hcl2-parser.js',
        external: true,
        sideEffects: false,
      }))
    },
  }
}

/** What is shaken away leaves behind the files that it alone would have loaded later. */
function findReached({ outputs }: Metafile): ReadonlySet<string> {
  const reached = new Set<string>()
  const visit = (path: string): void => {
    const output = outputs[path]
    if (output === undefined || reached.has(path)) return
    reached.add(path)
    for (const imported of output.imports) visit(imported.path)
  }
  const entries: readonly string[] = [AGENT, METRICS, MAIN, ...PROGRAMS, '<stdin>']
  for (const [path, { entryPoint }] of Object.entries(outputs)) {
    // What is imported later counts as an entry for esbuild.
    if (entryPoint !== undefined && entries.includes(entryPoint)) visit(path)
  }
  return reached
}

/** @throws Error when a file would look for the root of the package in the wrong folder. */
function checkPlace(output: string, inputs: readonly string[]): readonly string[] {
  if (inputs.includes(OWN_FILES) && dirname(output) !== COMMANDS) {
    throw new Error(`${output} must not use ${OWN_FILES}: it does not stand in ${COMMANDS}`)
  }
  return inputs
}
