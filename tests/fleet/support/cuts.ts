/** Calls to AWS that go wrong on the way. */
import { Refusal, type AwsIntercept } from '../../../src/dev/aws/index.ts'

/** What AWS says instead of an answer. */
export class ConnectionLost extends Refusal {
  constructor(code: string) {
    super(code, 'by order of the test')
  }
}

type Next = Parameters<AwsIntercept>[1]

/** @param isDone whether it was carried out before its answer got lost; else it was refused. */
export async function cutAfter(next: Next, isDone: boolean): Promise<'cut'> {
  if (!isDone) throw new ConnectionLost('ResourceContention')
  await next()
  return 'cut'
}
