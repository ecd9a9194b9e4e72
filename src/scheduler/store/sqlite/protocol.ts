/** What the main thread and the thread of SQLite say to each other. */

/** Given to the thread when it starts; it answers with order 0. */
export interface ThreadOptions {
  /** A path, or `:memory:`. */
  file: string
  /** What a commit waits for: a disk that has everything, or the kernel. */
  synchronous: 'full' | 'normal'
  /** Opens nothing for writing. */
  readOnly: boolean
}

/** Writers and readers have a connection each: readers see what is committed, and wait for nobody. */
export type Role = 'writer' | 'reader'

export interface Order {
  id: number
  role: Role
  sql: string
  /** Null for statements that have neither parameters nor rows; there may be several in the text. */
  parameters: readonly unknown[] | null
}

export type Reply =
  | { id: number; columns: readonly string[]; rows: readonly (readonly unknown[])[] }
  | { id: number; changes: number }
  | { id: number; failure: { message: string; code: number | null } }
