/**
 * Finds secrets in a stream of bytes, in time linear in the stream however many secrets there are.
 *
 * The automaton of Aho and Corasick: a state stands for the longest end of what was read that begins a
 * secret. States one and two bytes deep have full tables, because nearly every byte of real output is
 * looked at there; deeper ones have lists, so that thousands of long keys stay small in memory.
 *
 * While no secret has begun, most bytes are not looked at at all: see the skipper.
 */
import { createSkipper } from './mask-skipper.ts'

/** Shorter values stand in too much innocent text to be hidden. */
const LENGTH_MIN = 4
const NEVER_MASKED: ReadonlySet<string> = new Set([
  'true',
  'false',
  'True',
  'False',
  'TRUE',
  'FALSE',
])

/** Whether a value is hidden at all. */
export function isMaskable(value: string): boolean {
  return Array.from(value).length >= LENGTH_MIN && !NEVER_MASKED.has(value)
}

export interface Matcher {
  /**
   * Reads `input` from position `from` on. The first state of a stream is 0.
   *
   * @param onMatch told the length of the longest secret that ends before a position.
   * @returns the state after the last byte.
   */
  scan(input: Buffer, from: number, state: number, onMatch: OnMatch): number
  /** How many of the last bytes may be the beginning of a secret. */
  depth(state: number): number
}

type OnMatch = (length: number, end: number) => void

/** @param secrets not empty, none of them empty. */
export function createMatcher(secrets: readonly string[]): Matcher {
  const patterns = [...new Set(secrets)].map((secret) => Buffer.from(secret))
  const trie = createTrie(patterns.reduce((sum, pattern) => sum + pattern.length, 1))
  // Shallow states first, so that a state's number alone tells whether it has a full table.
  for (const depth of TABLE_DEPTHS) {
    for (const pattern of patterns) addPath(trie, pattern.subarray(0, depth))
    if (trie.count <= TABLES_MAX) trie.tabled = trie.count
  }
  for (const pattern of patterns) trie.matched[addPath(trie, pattern)] = pattern.length
  linkFailures(trie)
  const tables = buildTables(trie)
  const skip = createSkipper(patterns)
  const { tabled, fail, matched } = trie
  return {
    scan(input, from, start, onMatch) {
      let state = start
      for (let at = from; at < input.length; at++) {
        if (state === 0) {
          at = skip(input, at)
          if (at >= input.length) break
        }
        const byte = input[at] ?? 0
        let child = 0
        while (state >= tabled && (child = findChild(trie, state, byte)) === 0)
          state = fail[state] ?? 0
        state = child || (tables[(state << 8) | byte] ?? 0)
        const length = matched[state] ?? 0
        if (length > 0) onMatch(length, at + 1)
      }
      return state
    },
    depth: (state) => trie.depth[state] ?? 0,
  }
}

const TABLE_DEPTHS = [1, 2]
/** A table takes 1 KiB. The first 257 states, which are the start and those one byte deep, always fit. */
const TABLES_MAX = 8192

interface Trie {
  /** Number of states; the start state is 0. */
  count: number
  /** States below this number have a full table. */
  tabled: number
  firstChild: Int32Array
  sibling: Int32Array
  byte: Uint8Array
  depth: Int32Array
  /** Length of the longest secret that ends in the state, or 0. */
  matched: Int32Array
  /** The state of the longest proper end that begins a secret too. */
  fail: Int32Array
}

function createTrie(room: number): Trie {
  return {
    count: 1,
    tabled: 1,
    firstChild: new Int32Array(room),
    sibling: new Int32Array(room),
    byte: new Uint8Array(room),
    depth: new Int32Array(room),
    matched: new Int32Array(room),
    fail: new Int32Array(room),
  }
}

/** @returns 0, which is nobody's child, when there is none. */
function findChild(trie: Trie, state: number, byte: number): number {
  let child = trie.firstChild[state] ?? 0
  while (child !== 0 && trie.byte[child] !== byte) child = trie.sibling[child] ?? 0
  return child
}

/** @returns the last state of the path. */
function addPath(trie: Trie, path: Buffer): number {
  let state = 0
  for (const byte of path) state = findChild(trie, state, byte) || addState(trie, state, byte)
  return state
}

function addState(trie: Trie, parent: number, byte: number): number {
  const state = trie.count++
  trie.byte[state] = byte
  trie.depth[state] = (trie.depth[parent] ?? 0) + 1
  trie.sibling[state] = trie.firstChild[parent] ?? 0
  trie.firstChild[parent] = state
  return state
}

/** Breadth first: a state's failure link is shallower than itself, so it is ready when it is needed. */
function linkFailures(trie: Trie): void {
  const queue = [0]
  for (const state of queue) {
    for (let child = trie.firstChild[state] ?? 0; child !== 0; child = trie.sibling[child] ?? 0) {
      queue.push(child)
      if (state === 0) continue
      const byte = trie.byte[child] ?? 0
      let from = trie.fail[state] ?? 0
      while (from !== 0 && findChild(trie, from, byte) === 0) from = trie.fail[from] ?? 0
      const fail = findChild(trie, from, byte)
      trie.fail[child] = fail
      trie.matched[child] ||= trie.matched[fail] ?? 0
    }
  }
}

/** The following state for every byte. A state's failure link has a smaller number, so its table is ready. */
function buildTables(trie: Trie): Int32Array {
  const tables = new Int32Array(trie.tabled << 8)
  for (let state = 0; state < trie.tabled; state++) {
    const fallback = (trie.fail[state] ?? 0) << 8
    for (let byte = 0; byte < 256; byte++) {
      tables[(state << 8) | byte] = findChild(trie, state, byte) || (tables[fallback | byte] ?? 0)
    }
  }
  return tables
}
