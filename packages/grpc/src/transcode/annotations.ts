// Our own words for what google/api/http.proto and google/api/annotations.proto define, so that nobody need have
// the two files.
const text = (id: number) => ({ type: 'string', id })

/** The files that are known without being there. */
export const annotationFiles: readonly string[] = ['google/api/annotations.proto', 'google/api/http.proto']

/** The number of `google.api.http` among the fields of google.protobuf.MethodOptions. */
export const httpOptionNumber = 72_295_728

/** The name under which a method's options have it. */
export const httpOption = '(google.api.http)'

/** The package google.api, in the JSON form of protobufjs. */
export const annotations = {
  google: {
    nested: {
      api: {
        nested: {
          Http: {
            fields: {
              rules: { rule: 'repeated', type: 'HttpRule', id: 1 },
              fully_decode_reserved_expansion: { type: 'bool', id: 2 },
            },
          },
          HttpRule: {
            oneofs: { pattern: { oneof: ['get', 'put', 'post', 'delete', 'patch', 'custom'] } },
            fields: {
              selector: text(1),
              get: text(2),
              put: text(3),
              post: text(4),
              delete: text(5),
              patch: text(6),
              body: text(7),
              custom: { type: 'CustomHttpPattern', id: 8 },
              additional_bindings: { rule: 'repeated', type: 'HttpRule', id: 11 },
              response_body: text(12),
            },
          },
          CustomHttpPattern: { fields: { kind: text(1), path: text(2) } },
        },
      },
    },
  },
}
