import * as z from 'zod'
import { checkedText, section } from './fields.ts'
import { checkOrigin, checkService } from './grpc-text.ts'
import { file } from './schema-words.ts'

/** gRPC-Web on a listener. */
export const web = section({
  origins: z
    .array(checkedText(checkOrigin))
    .min(1)
    .describe('The origins of the pages that may call, such as `https://app.example.com`; `*` is any.'),
})

/** JSON for gRPC services. */
export const transcode = section({
  protos: z
    .array(file('A file.'))
    .min(1)
    .describe('The `.proto` files with the `google.api.http` annotations; any other extension is a descriptor set.'),
  services: z
    .array(checkedText(checkService))
    .min(1)
    .optional()
    .describe('The full names of the services that are served. Default: all of the files.'),
  includes: z
    .array(file('A directory.'))
    .optional()
    .describe('Directories in which imports of the `.proto` files are looked up besides. Default: none.'),
})
