/**
 * Nomad's job specification as a table: what each block and attribute is called on the wire.
 *
 * Blocks that make no sense for a slice, which is placed once and runs once, are in `unsupported.ts`
 * with the reason. What is in neither is unknown to Nomad too, or deprecated.
 *
 * @see Nomad documentation, "Job Specification" and "JSON Job Specification"
 */
import { groupSchema } from './group.ts'
import { affinity, constraint, spread } from './placement.ts'
import { many, once, texts, type BlockSchema } from './table.ts'
import { reschedule, update } from './policy.ts'

const ui: BlockSchema = {
  attributes: { description: ['Description', 'text'] },
  blocks: {
    link: many('Links', { attributes: { label: ['Label', 'text'], url: ['URL', 'text'] } }),
  },
}

export const jobSchema: BlockSchema = {
  attributes: {
    id: ['ID', 'text'],
    name: ['Name', 'text'],
    type: ['Type', 'text'],
    region: ['Region', 'text'],
    namespace: ['Namespace', 'text'],
    priority: ['Priority', 'whole'],
    all_at_once: ['AllAtOnce', 'flag'],
    datacenters: ['Datacenters', 'texts'],
    node_pool: ['NodePool', 'text'],
  },
  blocks: {
    meta: texts('Meta'),
    constraint: many('Constraints', constraint),
    affinity: many('Affinities', affinity),
    spread: many('Spreads', spread),
    update: once('Update', update),
    reschedule: once('Reschedule', reschedule),
    ui: once('UI', ui),
    group: many('TaskGroups', groupSchema, 'Name'),
  },
}
