/** What Prometheus reads of the server, and what the server counts of its own requests. */
import type { MetricSink } from '../../platform/index.ts'
import type { App } from '../app.ts'

export interface ApiMetrics {
  sink: MetricSink
  /** The text of `GET /metrics`, and its content type. */
  exposition: () => Promise<string>
  contentType: string
}

/** Uploads that people and agents lose something by when they fail. */
const UPLOADS: readonly string[] = ['/api/v1/sources', '/api/v1/agent/:slice/:epoch/output']

export function addMetricRoutes(app: App, { exposition, contentType }: ApiMetrics): void {
  const schema = { tags: ['health'], summary: 'Metrics of the server, as Prometheus reads them.' }
  app.get('/metrics', { schema }, async (_request, reply) => {
    return reply.type(contentType).send(await exposition())
  })
}

/** Before any route is added. */
export function countRequests(app: App, sink: MetricSink): void {
  app.addHook('onResponse', async (request, reply) => {
    const status = String(reply.statusCode)
    const { method } = request
    sink.measure('circle.http.request', reply.elapsedTime, { method, status })
    const { url = '' } = request.routeOptions
    if (method !== 'POST' || !UPLOADS.includes(url)) return
    if (reply.statusCode >= 500) sink.count('circle.backend.action.upload-artifact-error')
  })
}
