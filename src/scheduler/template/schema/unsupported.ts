/** What Nomad knows and a template for slices can not use. */
export const UNSUPPORTED: Readonly<Record<string, string>> = {
  connect: 'a slice is no member of a service mesh',
  csi_plugin: 'a slice is no storage plugin',
  dispatch_payload: 'slices are registered, not dispatched',
  dynamic: 'write the block out',
  migrate: 'a slice is never moved to another node',
  multiregion: 'a slice runs in one region',
  parameterized: 'slices are registered, not dispatched',
  periodic: 'a slice runs once',
  scaling: 'the number of slices is the parallelism of the build',
  schedule: 'a slice runs once',
  weights: 'a slice serves nobody',
}
