/** What the tables of commands share: flags of one name mean one thing everywhere. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import { parseDurationMs } from '../model/index.ts'
import type { Io } from './io.ts'

/** Takes the exit code of the command that ran. */
export type Finish = (exitCode: number) => void

/** Adds a group of commands. Loads nothing of what they do: each does so itself, when it runs. */
export type AddCommands = (program: Command, io: Io, finish: Finish) => void

export const dataOption = () => new Option('--data <dir>', 'where builds and output live')
export const storeOption = () =>
  new Option('--store <url>', 'sqlite:FILE in the data directory, or postgres://...')
export const masterKeyOption = () =>
  new Option('--master-key-file <file>', 'key of this installation; PostgreSQL needs one')
export const settingsOption = () =>
  new Option('--settings <file>', 'settings file (HCL)').env('CARAVAN_SETTINGS')
export const serverOption = (what = 'address of a Caravan server') =>
  new Option('--server <url>', what).env('CARAVAN_SERVER')
export const tokenOption = () =>
  new Option('--token <token>', 'token for the server').env('CARAVAN_TOKEN')
export const logFormatOption = () =>
  new Option('--log-format <format>', 'log lines').choices(['text', 'json'])
export const logLevelOption = () =>
  new Option('--log-level <level>', 'least important line to log')
    .choices(['debug', 'info', 'warn', 'error'])
    .env('CARAVAN_LOG_LEVEL')

export const toPort = (text: string) => toWhole(text, 0, 65_535)
export const toCount = (text: string) => toWhole(text, 1, 1000)
export const toIndex = (text: string) => toWhole(text, 0, 100_000)

/** @returns milliseconds. */
export function toDuration(text: string): number {
  const ms = parseDurationMs(text)
  if (ms !== null && ms > 0) return ms
  throw new InvalidArgumentError('a duration such as 90s, 10m or 1h30m is needed')
}

/** What scripts go by, after the flags of a command. @param codes with what each means. */
export function toCodesHelp(codes: Readonly<Record<number, string>>): string {
  const lines = Object.entries(codes).map(([code, meaning]) => `  ${code.padEnd(5)}${meaning}`)
  return `\nExit codes:\n${lines.join('\n')}`
}

/** For a parser of commander. @throws InvalidArgumentError */
export function toWhole(text: string, minimum: number, maximum: number): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= minimum && value <= maximum) return value
  throw new InvalidArgumentError(`a whole number from ${minimum} to ${maximum} is needed`)
}
