import {
  Metadata,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServerWritableStream,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import { notCancelledFor } from './grpc-wait.ts'

/** Fields as proto-loader gives and takes them; those that are absent have their defaults. */
interface Order {
  readonly id: number
  readonly customer?: string
  readonly state?: string
  readonly items?: readonly object[]
  readonly [field: string]: unknown
}

interface ByOrder {
  readonly order: Order | null
}

interface GetRequest {
  readonly id: number
  readonly view: string
  readonly name: string
}

interface ListRequest {
  readonly page: { readonly size: number; readonly token: string } | null
  readonly states: readonly string[]
}

interface WatchRequest {
  readonly id: number
  readonly intervalMs: number
}

type Unary<Request, Response> = (call: ServerUnaryCall<Request, Response>, callback: sendUnaryData<Response>) => void

/** 2026-01-01T00:00:00.5Z, so that the fraction is seen too. */
const placedAt = { seconds: 1_767_225_600, nanos: 500_000_000 }

function orderOf(id: number, view = 'FULL'): Order {
  const basic = { id, customer: `customer-${id % 10}`, state: 'PLACED', placedAt }
  if (view === 'BASIC') return basic
  return {
    ...basic,
    items: [
      { sku: `sku-${id}`, quantity: 2, price: 9.75 },
      { sku: 'sku-gift', quantity: 1, price: 0 },
    ],
    shipTo: { street: `${id} High Street`, city: 'Ely' },
    labels: { priority: 'high', 'with space': 'ä' },
    signature: Buffer.from([0xfb, 0xff, 0x00, id & 0xff]),
  }
}

const get: Unary<GetRequest, Order> = ({ request }, callback) => {
  const named = /^customers\/[^/]+\/orders\/(\d+)$/.exec(request.name)
  const id = named === null ? request.id : Number(named[1])
  if (id >= 1_000) callback({ code: status.NOT_FOUND, details: `there is no order ${id}` })
  else callback(null, { ...orderOf(id, request.view), asked: request })
}

const list: Unary<ListRequest, object> = ({ request }, callback) => {
  const size = request.page === null || request.page.size === 0 ? 3 : request.page.size
  const orders = Array.from({ length: size }, (_, i) => ({
    ...orderOf(i + 1, 'BASIC'),
    state: request.states[i % request.states.length] ?? 'PLACED',
  }))
  callback(null, { orders, nextToken: `${request.page?.token ?? ''}+` })
}

/** A `google.rpc.Status` with one `google.rpc.BadRequest`, that says of the field `order.items` that it is needed. */
const itemsNeeded = ((): Buffer => {
  const field = (tag: number, value: Buffer | string): Buffer => {
    const bytes = Buffer.from(value as string)
    return Buffer.concat([Buffer.from([(tag << 3) | 2, bytes.length]), bytes])
  }
  const violation = Buffer.concat([field(1, 'order.items'), field(2, 'needed')])
  const any = [field(1, 'type.googleapis.com/google.rpc.BadRequest'), field(2, field(1, violation))]
  const code = Buffer.from([1 << 3, status.INVALID_ARGUMENT])
  return Buffer.concat([code, field(2, 'no items'), field(3, Buffer.concat(any))])
})()

const place: Unary<ByOrder, Order> = ({ request: { order } }, callback) => {
  if ((order?.items ?? []).length > 0) {
    callback(null, { ...order, id: 100, state: 'PLACED' })
    return
  }
  const metadata = new Metadata()
  metadata.set('grpc-status-details-bin', itemsNeeded)
  callback({ code: status.INVALID_ARGUMENT, details: 'no items', metadata })
}

const update: Unary<ByOrder, Order> = ({ request: { order } }, callback) => {
  if (order === null) callback({ code: status.INVALID_ARGUMENT, details: 'no order' })
  else callback(null, order)
}

const cancel: Unary<{ id: number; reason: string }, Order> = ({ request }, callback) => {
  callback(null, { ...orderOf(request.id), state: 'CANCELLED', labels: { reason: request.reason } })
}

async function watch(call: ServerWritableStream<WatchRequest, Order>): Promise<void> {
  for (const state of ['PLACED', 'SENT', 'DELIVERED']) {
    if (state !== 'PLACED' && !(await notCancelledFor(call, call.request.intervalMs))) return
    call.write({ ...orderOf(call.request.id, 'BASIC'), state })
  }
  call.end()
}

/** `shop.v1.Orders`, as its `.proto` file describes it. */
export function ordersService(): UntypedServiceImplementation {
  return {
    Get: get,
    List: list,
    Place: place,
    Update: update,
    Cancel: cancel,
    Watch: (call: ServerWritableStream<WatchRequest, Order>) => void watch(call),
  }
}
