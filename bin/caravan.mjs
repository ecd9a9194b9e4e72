#!/usr/bin/env node
// The launcher. Plain JavaScript of an old dialect on purpose: it must still run, and say what is
// wrong, on a Node.js that can not even parse the rest of Caravan.
import { createRequire } from 'node:module'

const NODE_MAJOR_MIN = 24
const ROOT = new URL('../', import.meta.url)
// An ES module's import of Node's own modules makes all their names, which takes longer than all else here.
const require = createRequire(import.meta.url)
const { existsSync } = require('fs')
const { fileURLToPath } = require('url')
const here = (path) => fileURLToPath(new URL(path, ROOT))

if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR_MIN) {
  keepCompiled()
  await start()
} else {
  runWithOwnNode(here('node_modules/node/bin/node'))
}

/**
 * A part of a start is compiling: what was compiled once is kept for the next start, unless
 * NODE_COMPILE_CACHE has named a place already. It is trusted as the program is, so it must not lie where
 * everybody can write, as Node's own choice does. Where the user has no home, or none to write to,
 * each start compiles.
 */
function keepCompiled() {
  let home
  try {
    // Not HOME, which a job may set.
    home = require('os').userInfo().homedir
  } catch {
    return
  }
  require('module').enableCompileCache(`${home}/.cache/caravan`)
}

/**
 * Where there are sources they are run, and never an older bundle of them; a package has bundles only.
 * One agent runs for each slice and one nomad-metrics on each client: they load nothing of the other commands.
 */
async function start() {
  const isLight = process.argv.every((flag) => flag !== '--server' && flag !== '--fleet')
  if (process.argv[2] === 'metrics' && isLight) neverOptimize()
  const own = { 'build-agent': 'agent-main', metrics: 'metrics-main' }
  const command = String(process.argv[2])
  const name = Object.hasOwn(own, command) ? own[command] : 'main'
  const path = existsSync(here('src')) ? `src/cli/${name}.ts` : `dist/cli/${name}.js`
  await import(new URL(path, ROOT))
}

/**
 * The reporter of one node does little every ten seconds: nothing of it is worth compiling, and compilers that
 * are never called take no memory.
 */
function neverOptimize() {
  const { setFlagsFromString } = require('v8')
  for (const flag of ['--no-sparkplug', '--no-maglev', '--no-opt']) setFlagsFromString(flag)
}

/** `npm ci` in a checkout installs the right Node.js beside the sources: use it when it is there. */
function runWithOwnNode(node) {
  if (!existsSync(node)) {
    process.stderr.write(
      `caravan needs Node.js ${NODE_MAJOR_MIN} or newer; this is ${process.version}.\n` +
        'In a checkout, `npm ci` installs a suitable one. Elsewhere, install Node.js 26 and try again.\n',
    )
    process.exit(2)
  }
  const child = require('child_process').spawn(node, process.argv.slice(1), { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => process.exit(code === null ? (signal ? 130 : 3) : code))
}
