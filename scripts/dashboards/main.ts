/** `npm run dashboards`: writes the files anew. */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { toFiles } from './files.ts'

for (const [path, text] of toFiles()) {
  writeFileSync(fileURLToPath(new URL(`../../dashboards/${path}`, import.meta.url)), text)
}
