#!/usr/bin/env node
// `nomad-metrics start ...` is `caravan metrics start ...` under the name that existing installations call.
process.argv.splice(2, 0, 'metrics')
await import('./caravan.mjs')
