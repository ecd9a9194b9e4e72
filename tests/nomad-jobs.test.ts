/** The job files that run Caravan on Nomad: what they call and what they set has to be there. */
import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import t from 'tap'
import { createProgram } from '../src/cli/program.ts'
import { VARIABLE_NAMES } from '../src/platform/config/sources.ts'
import { parseHcl } from '../src/platform/index.ts'

const JOBS = ['caravan-server', 'caravan-fleet']

/** Read by commands beside the settings. */
const OTHERS = ['CARAVAN_SERVER', 'CARAVAN_TOKEN']

for (const name of JOBS) {
  t.test(`${name} parses, calls a command that there is, and sets what is read`, async (t) => {
    const text = readFileSync(new URL(`../nomad/jobs/${name}.nomad.hcl`, import.meta.url), 'utf8')
    await t.resolves(parseHcl(text, name))
    const [, args = ''] = /^ *args +=(.*)$/m.exec(text) ?? []
    const words = [...args.matchAll(/"([^"]+)"/g)].map(([, word = '']) => word)
    const program: Command = createProgram({} as never, () => {})
    let command = program
    while (command.commands.length > 0) {
      const word = words.shift()
      const next = command.commands.find((each) => each.name() === word)
      if (next === undefined) return t.fail(`there is no ${word}`)
      command = next
    }
    const flags = command.options.map(({ long }) => long)
    for (const word of words.filter((each) => each.startsWith('--')))
      t.ok(flags.includes(word), word)
    const variables = [...text.matchAll(/\b((?:CARAVAN|NOMAD)_[A-Z_]+)(?: +=|=\{\{)/g)]
    t.ok(variables.length > 3)
    for (const [, variable = ''] of variables) {
      t.ok(VARIABLE_NAMES.includes(variable) || OTHERS.includes(variable), variable)
    }
  })
}
