/** Who may use the API. */
export { createFirstToken } from './first-token.ts'
export { openTokenBook, type TokenBook } from './token-book.ts'
