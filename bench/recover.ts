import type { Bench } from './harness/bench.ts'
export const recover = { name: 'recover' } as unknown as Bench
