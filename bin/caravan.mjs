#!/usr/bin/env node
// The launcher. Plain JavaScript of an old dialect on purpose: it must still run, and say what is
// wrong, on a Node.js that can not even parse the rest of Caravan.
import { existsSync } from 'node:fs'
import { spawn } from 'node:child_process'
import module from 'node:module'
import { fileURLToPath } from 'node:url'

const NODE_MAJOR_MIN = 24
const here = (path) => fileURLToPath(new URL(path, import.meta.url))

if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR_MIN) {
  // Half of a start is compiling: what was compiled once is kept beside other caches.
  module.enableCompileCache()
  await import(new URL(findProgram(), import.meta.url))
} else {
  runWithOwnNode(here('../node_modules/node/bin/node'))
}

/** Where there are sources they are run, and never an older bundle of them; a package has bundles only. */
function findProgram() {
  // One agent runs for each slice, and loads nothing of the other commands.
  const name = process.argv[2] === 'build-agent' ? 'agent-main' : 'main'
  return existsSync(here('../src')) ? `../src/cli/${name}.ts` : `../dist/cli/${name}.js`
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
  const child = spawn(node, process.argv.slice(1), { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => process.exit(code === null ? (signal ? 130 : 3) : code))
}
