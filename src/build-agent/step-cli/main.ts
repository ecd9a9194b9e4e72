/**
 * The program behind `circleci tests`: started by the shim, with index and total before its own arguments,
 * and with nothing of the agent loaded.
 */
import { testsCommand } from './tests-command.ts'

const [nodeIndex = '', nodeTotal = '', ...args] = process.argv.slice(2)
const { stdin, stdout, stderr } = process
process.exitCode = await testsCommand(args, { stdin, stdout, stderr, nodeIndex, nodeTotal })
