/** Every wait of the agent, in one place. Tests shorten them; nothing else sets them. */

export interface AgentTimings {
  /** From TERM to KILL. */
  graceMs: number
  /** What all steps with `when: on_cancel` have together. */
  onCancelMs: number
  /** How long a process may outlive its KILL before we stop waiting for it. */
  killedMs: number
  /** How long output may still come from a pipe whose command is over. */
  leakedPipeMs: number
  /** From the signal to the end of the agent. */
  killTimeoutMs: number
  /** How long `why` may take after a signal. */
  whyMs: number
  /** How long a claim is repeated. */
  claimMs: number
  /** First pause after a failed pull of an image. */
  pullRetryMs: number
  /** First and longest pause between tries of one call. */
  retryBaseMs: number
  retryMaxMs: number
  /** How long a step is held back while its spool waits for the server or for a full disk. */
  spoolFullMs: number
  /** How long a server that answers may take no output once the steps are over. */
  flushMs: number
  /** How long one long poll of `control` may last. */
  pollMaxMs: number
}

export const TIMINGS: AgentTimings = {
  // What build systems commonly grant: databases and test runners need a few seconds to put things away.
  graceMs: 10_000,
  // The server lets Nomad stop the job 30 s after a cancel; the running step may take ten of them to end.
  onCancelMs: 15_000,
  // A process in an uninterruptible disk wait can not be killed; the slice must end all the same.
  killedMs: 10_000,
  // Enough for a full pipe on a busy machine. A daemon that inherited the pipe must not hang its step.
  leakedPipeMs: 1_000,
  // What the job template has by default. The claim tells what it really has.
  killTimeoutMs: 30_000,
  // A signal carries no reason. When the server does not tell within this, it is taken for a drain.
  whyMs: 1_000,
  // As long as the server waits for an agent to start: later claims are refused anyway.
  claimMs: 600_000,
  // Registries that limit how often they are asked count in minutes, those that restart in seconds.
  pullRetryMs: 2_000,
  retryBaseMs: 250,
  // Often enough that a server that came back hears from everybody soon, seldom enough to let it come back.
  retryMaxMs: 10_000,
  // A server is restarted in less; a step that waits longer is worth more than its output.
  spoolFullMs: 60_000,
  // An allocation that waits takes the place of a build. The sweeper brings the rest.
  flushMs: 60_000,
  // Proxies commonly cut what is silent for 30 s or more.
  pollMaxMs: 20_000,
}
