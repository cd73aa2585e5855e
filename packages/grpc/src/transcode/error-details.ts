const text = (id: number) => ({ type: 'string', id })
const map = (id: number) => ({ keyType: 'string', type: 'string', id })
const listOf = (type: string, id: number) => ({ rule: 'repeated', type, id })

/** The messages of google/rpc/error_details.proto, in the JSON form of protobufjs. */
export const errorDetails = {
  google: {
    nested: {
      rpc: {
        nested: {
          ErrorInfo: { fields: { reason: text(1), domain: text(2), metadata: map(3) } },
          RetryInfo: { fields: { retry_delay: { type: 'google.protobuf.Duration', id: 1 } } },
          DebugInfo: { fields: { stack_entries: listOf('string', 1), detail: text(2) } },
          QuotaFailure: {
            fields: { violations: listOf('Violation', 1) },
            nested: { Violation: { fields: { subject: text(1), description: text(2) } } },
          },
          PreconditionFailure: {
            fields: { violations: listOf('Violation', 1) },
            nested: { Violation: { fields: { type: text(1), subject: text(2), description: text(3) } } },
          },
          BadRequest: {
            fields: { field_violations: listOf('FieldViolation', 1) },
            nested: { FieldViolation: { fields: { field: text(1), description: text(2), reason: text(3) } } },
          },
          RequestInfo: { fields: { request_id: text(1), serving_data: text(2) } },
          ResourceInfo: {
            fields: { resource_type: text(1), resource_name: text(2), owner: text(3), description: text(4) },
          },
          Help: {
            fields: { links: listOf('Link', 1) },
            nested: { Link: { fields: { description: text(1), url: text(2) } } },
          },
          LocalizedMessage: { fields: { locale: text(1), message: text(2) } },
        },
      },
    },
  },
}
