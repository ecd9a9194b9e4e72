/** What both `caravan config` commands begin with. */
import { type ResourceClass, toResourceClasses } from '../../model/index.ts'
import { readCheckout, readSettings } from '../../platform/index.ts'
import type { Io } from '../io.ts'
import { readConfig } from '../request.ts'

export interface ConfigOptions {
  settings?: string
  json?: boolean
}

export interface ConfigInput {
  text: string
  /** What a configuration is compiled with: the name for messages and what the server would know. */
  options: { file: string; classes: ReadonlyMap<string, ResourceClass>; noOutputMs: number }
}

/** @throws CaravanError INPUT_INVALID without such a file, SETTINGS_INVALID. */
export async function readConfigInput(
  file: string | undefined,
  options: ConfigOptions,
  io: Io,
): Promise<ConfigInput> {
  const checkout = file === undefined ? await readCheckout(io.cwd) : null
  const { text, name } = await readConfig(file, io.cwd, checkout)
  const settings = await readSettings({ flags: options, env: io.env })
  const classes = toResourceClasses(settings.class)
  return { text, options: { file: name, classes, noOutputMs: settings.limits.no_output } }
}
