/** Writes the table of metrics into the guide. */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { toTable } from './table.ts'

const file = fileURLToPath(new URL('../../../docs/guides/metrics.md', import.meta.url))
const guide = readFileSync(file, 'utf8')
writeFileSync(file, guide.replace(/\| name \| kind[\s\S]*?(?=\n\n)/, toTable()))
