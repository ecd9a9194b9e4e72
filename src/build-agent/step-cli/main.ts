/**
 * The program behind `circleci tests`: started by the shim, with index, total and the step's NODE_OPTIONS before its own arguments,
 * and with nothing of the agent loaded.
 */
import { testsCommand } from './tests-command.ts'

const [nodeIndex = '', nodeTotal = '', nodeOptions = '', ...args] = process.argv.slice(2)
const { stdin, stdout, stderr } = process
process.exitCode = await testsCommand(args, {
  stdin,
  stdout,
  stderr,
  nodeIndex,
  nodeTotal,
  nodeOptions,
})
