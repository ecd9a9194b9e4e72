/** The description of the API that the API serves. */
import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import {
  createJsonSchemaTransform,
  createJsonSchemaTransformObject,
} from 'fastify-type-provider-zod'
import { namedSchemas } from './schemas.ts'

export function toOpenApiOptions(version: string): FastifyDynamicSwaggerOptions {
  const addSchemas = createJsonSchemaTransformObject({ schemaRegistry: namedSchemas })
  return {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Caravan', description: 'Builds on HashiCorp Nomad.', version },
      security: [{ bearer: [] }],
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
    },
    transform: createJsonSchemaTransform({ schemaRegistry: namedSchemas }),
    transformObject: (document) => dropUnused(addSchemas(document)),
  }
}

type Description = ReturnType<ReturnType<typeof createJsonSchemaTransformObject>>

/** Every named shape exists as one that is sent and one that is received; most are only one of them. */
function dropUnused(description: Description): Description {
  if (!('components' in description)) return description
  const schemas = description.components?.schemas ?? {}
  const used = new Set<string>()
  const visit = (part: unknown) => {
    for (const [, name] of JSON.stringify(part).matchAll(REFERENCE)) {
      if (name === undefined || used.has(name)) continue
      used.add(name)
      visit(Object.entries(schemas).filter(([each]) => each === name))
    }
  }
  visit(description.paths ?? {})
  // The description was made for us just now.
  for (const name of Object.keys(schemas)) if (!used.has(name)) delete schemas[name]
  return description
}

const REFERENCE = /"#\/components\/schemas\/(\w+)"/g
