import { Budget, messageCost } from './budget.ts'
import type { Json } from './json.ts'
import { messageFromJson } from './message-from-json.ts'
import { messageToJson } from './message-to-json.ts'
import type { MessageType, Schema } from './schema.ts'
import { wellKnown } from './well-known-types.ts'

/** Messages to JSON and back, by proto3's JSON mapping. What is wrong is thrown: FieldProblem, MalformedMessage. */
export class JsonCodec {
  readonly schema: Schema
  /** Of the message at hand. */
  readonly budget = new Budget()

  constructor(schema: Schema) {
    this.schema = schema
  }

  toJson(type: MessageType, message: Buffer, depth = 0): Json {
    if (depth === 0) this.budget.renew()
    const form = wellKnown.get(type.fullName)
    return form === undefined ? messageToJson(this, type, message, depth) : form.toJson(message, this, depth)
  }

  fromJson(type: MessageType, json: Json, depth = 0): Buffer {
    if (depth === 0) this.budget.renew()
    this.budget.spend(messageCost)
    const form = wellKnown.get(type.fullName)
    return form === undefined ? messageFromJson(this, type, json, depth) : form.fromJson(json, this, depth)
  }
}
