/** Which shell runs a step, and with which words. */
import { CaravanError, toWords } from '../model/index.ts'

/** What a step runs under when neither it nor its job names a shell. */
export interface DefaultShell {
  words: readonly string[]
  /** Something the user should know about it. */
  notice: string | null
}

/** What the machine that runs the steps can do. */
export interface ShellProbe {
  hasBash: boolean
  /** Whether `/bin/sh` takes `-o pipefail`, which dash before 0.5.13 does not. */
  shKnowsPipefail: boolean
}

/** Decides the default shell, and says so when a failing command inside a pipe will go unnoticed. */
export function defaultShell(probe: ShellProbe): DefaultShell {
  if (probe.hasBash) return { words: ['/bin/bash', '-eo', 'pipefail'], notice: null }
  if (probe.shKnowsPipefail) return { words: ['/bin/sh', '-eo', 'pipefail'], notice: null }
  return {
    words: ['/bin/sh', '-e'],
    notice:
      'There is no /bin/bash here and /bin/sh does not know pipefail: steps run under "/bin/sh -e", ' +
      'and a command that fails inside a pipe does not fail its step.',
  }
}

/**
 * The words that run a command text.
 *
 * The text is handed over as a file: an argument can not be longer than 128 KiB, and stdin must stay free.
 * A shell line that ends in `-c` asks for the text itself.
 */
export function toCommandLine(
  shell: readonly string[],
  command: { text: string; scriptFile: string },
): string[] {
  const wantsText = /^-[A-Za-z]*c$/.test(shell.at(-1) ?? '')
  return [...shell, wantsText ? command.text : command.scriptFile]
}

/** @throws CaravanError INPUT_INVALID for an open quote or a line without words. */
export function splitWords(line: string): string[] {
  const split = toWords(line)
  if ('words' in split) return split.words
  throw new CaravanError('INPUT_INVALID', `the shell "${line}" ${split.fault}`)
}
