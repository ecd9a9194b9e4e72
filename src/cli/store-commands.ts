/** The table of commands about what a server keeps: backups of it, and who may use it. */
import { type Command, Option } from 'commander'
import { ROLES } from '../model/index.ts'
import {
  dataOption,
  masterKeyOption,
  serverOption,
  settingsOption,
  storeOption,
  tokenOption,
  type Finish,
} from './flags.ts'
import type { Io } from './io.ts'

export function addStore(program: Command, io: Io, finish: Finish): void {
  const withStore = (name: string, description: string) =>
    program
      .command(name)
      .description(description)
      .addOption(dataOption())
      .addOption(storeOption())
      .addOption(masterKeyOption())
      .addOption(settingsOption())
      .option('--json', 'print one JSON object')
  withStore('backup <file>', 'write builds and their sources into one file; the server may run')
    .option('--with-output', 'also the output of all steps')
    .option('--with-sources', 'also the sources of builds that are over')
    .option('--with-master-key', 'also the master key: whoever has the file has the installation')
    .option('--force', 'replace the file when it is there')
    .action(async (file: string, options) => {
      finish(await (await import('./backup.ts')).backup(file, options, io))
    })
  withStore('restore <file>', 'put a backup in the place of the store; the server must not run')
    .option('--force', 'replace what the store holds')
    .action(async (file: string, options) => {
      finish(await (await import('./restore.ts')).restore(file, options, io))
    })
}

export function addTokens(program: Command, io: Io, finish: Finish): void {
  const token = program.command('token').description('who may use a server, and for what')
  const withServer = (name: string, description: string) =>
    token
      .command(name)
      .description(description)
      .addOption(serverOption())
      .addOption(tokenOption())
      .option('--json', 'print JSON')
  withServer('create', 'make a token; without --server, the first one, where the data is')
    .addOption(new Option('--role <role>', 'what it may do').choices(ROLES).makeOptionMandatory())
    .option('--name <text>', 'whose it is, or what for')
    .option('--expires <duration>', 'how long it is good for, such as 90d (default: for ever)')
    .addOption(dataOption())
    .addOption(storeOption())
    .addOption(masterKeyOption())
    .addOption(settingsOption())
    .action(async (options) => {
      finish(await (await import('./token.ts')).createToken(options, io))
    })
  withServer('list', 'the tokens of a server, oldest first').action(async (options) =>
    finish(await (await import('./token.ts')).listTokens(options, io)),
  )
  withServer('revoke <id>', 'end a token at once').action(async (id: string, options) => {
    finish(await (await import('./token.ts')).revokeToken(id, options, io))
  })
}
