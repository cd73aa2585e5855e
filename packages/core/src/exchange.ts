import { Abandonment, type Abandoning } from './abandonment.ts'
import { type ErrorCode, ProxyError, refusals } from './errors.ts'
import { type Gate, type GateRefusal, Permit, Waiter } from './gate/gate.ts'
import { judgeRetry } from './retries.ts'
import { gateAt, queueTimeoutMs, type Route, stages } from './route.ts'
import type { Runtime } from './runtime.ts'
import { type Expirable, Timer } from './timers/wheel.ts'
import type { Connection, Lessee } from './upstream/connection.ts'
import type { Endpoint } from './upstream/endpoint.ts'
import type { Connector, Pool } from './upstream/pool.ts'

/** Where a unit of work stands. */
export type ExchangeState =
  | 'matching' // its head is not known, or no route has been found for it
  | 'queued' // at a gate
  | 'connecting' // let through, without a connection
  | 'forwarding' // on a connection, or being answered by us
  | 'done' // settled; the object may serve the next unit

/**
 * One unit of proxied work: a TCP connection, an HTTP request, a WebSocket session.
 *
 * Its whole life stands here, the same for all protocols:
 *
 *     accept → head → match → listener gate → route gate → dispatcher → lease → forward → release → account
 *
 * While permits are free and a connection is idle, all of it up to the first upstream byte is synchronous. A protocol
 * extends it, calls `begin` once the route is known, and tells it when either half has ended. One object may serve many
 * units, one after the other: whoever may call back later keeps the `epoch` and is ignored when it has changed.
 */
export abstract class Exchange extends Waiter implements Lessee, Expirable, Abandoning {
  readonly runtime: Runtime
  state: ExchangeState = 'done'
  /** Counts the units that this object has served. */
  epoch = 0
  route: Route | undefined
  connection: Connection | undefined
  /** The endpoint that serves, or served, the unit. */
  endpoint: Endpoint | undefined

  /** What `account` reads. `ok`, or why the unit was refused or failed. */
  reason: ErrorCode | 'ok' = 'ok'
  /** Connections asked for on behalf of this unit. */
  attempts = 0
  /** How long a gate that refused the unit would let it wait, by an estimate, in milliseconds; 0: not known. */
  retryAfterMs = 0
  /** Times in the clock's milliseconds. */
  startedAt = 0
  waitedMs = 0
  connectMs = 0
  endedAt = 0
  /** Bytes received from and sent to the client. */
  bytesIn = 0
  bytesOut = 0

  readonly #listenerPermit = new Permit()
  readonly #routePermit = new Permit()
  readonly #upstreamPermit = new Permit()
  #stage = 0
  #queueTimer: Timer | undefined
  #pool: Pool | undefined
  /** The time of the present step: read once, for as long as the unit goes on synchronously. */
  #now = 0
  /** Inside the call that asks the pool: a connection that comes now was idle. */
  #leasing = false
  #spentBudget = false
  #generation: Route['generation']
  /** Nobody expects anything of the upstream half any more; it runs on to its end. */
  protected abandoned = false
  #abandonment: Abandonment | undefined
  /** Whether the client still expects something, and whether the upstream half is still open. */
  #downstreamOpen = false
  #upstreamOpen = false

  constructor(runtime: Runtime) {
    super()
    this.runtime = runtime
  }

  /** Label of metrics and log. */
  abstract readonly protocol: string
  /** Status in the protocol's words, for metrics and log. */
  abstract readonly status: string
  /** Makes the upstream half: whose connections an upstream's endpoints are to hold. */
  protected abstract readonly connector: Connector
  /** Whether the unit may be repeated by its nature (RFC 9110 §9.2.2), and whether all that was sent is still there. */
  protected abstract readonly idempotent: boolean
  protected abstract readonly replayable: boolean

  /** Verb 1: sends the unit over the connection. */
  protected abstract forward(connection: Connection): void
  /** Verb 2: says in the protocol's own words that nothing more will come. `downstreamEnded` follows. */
  protected abstract refuse(error: ProxyError): void
  /** Verb 3: closes the upstream half of a unit that was cut. `upstreamEnded` follows once its socket is closed. */
  protected abstract abort(connection: Connection): void
  /**
   * Lets the upstream half of a unit that was cut run to its end, unheard: for services that cannot cancel. Default: it is
   * aborted. `upstreamEnded` or `upstreamFailed` follows, or `abort` when it takes too long.
   */
  protected abandon(connection: Connection): void {
    this.abort(connection)
  }
  /** Answers a unit whose route has no upstream. */
  protected abstract answer(): void
  /** The unit leaves the synchronous path: what was lent must be kept. */
  protected abstract retain(): void
  /** Both halves have ended and everything has been given back. */
  protected abstract settled(): void

  /** The permit that the unit waits for, or took last. */
  get permit(): Permit {
    return this.#stage === 0 ? this.#listenerPermit : this.#stage === 1 ? this.#routePermit : this.#upstreamPermit
  }

  /** Starts a new unit; its way is not known yet. */
  protected open(): void {
    this.state = 'matching'
    this.runtime.store.units.begin()
    this.reason = 'ok'
    this.route = undefined
    this.endpoint = undefined
    this.attempts = 0
    this.retryAfterMs = 0
    this.waitedMs = 0
    this.connectMs = 0
    this.bytesIn = 0
    this.bytesOut = 0
    this.startedAt = this.runtime.clock()
    this.#spentBudget = false
    this.abandoned = false
    this.#downstreamOpen = true
    this.#upstreamOpen = false
    this.#stage = 0
  }

  /** Notes the unit's way, before it is sent on it: the configuration that the route belongs to lives on until its end. */
  protected matched(route: Route): void {
    this.route = route
    if (route.generation === this.#generation) return
    this.#generation = route.generation
    if (route.generation !== undefined) route.generation.exchanges++
  }

  /** Sends the unit on its way. `now`: the clock's milliseconds, when they are known. */
  protected begin(route: Route, now: number = this.runtime.clock()): void {
    this.matched(route)
    this.#now = now
    this.#admit()
  }

  #admit(): void {
    for (; this.#stage < stages; this.#stage++) {
      const gate = gateAt(this.route!, this.#stage)
      if (gate === undefined || gate.tryAcquire(this.permit)) continue
      if (this.#stage === 2 && !this.route!.upstream!.reachable) this.fail(refusals.noEndpoint)
      else this.#wait(gate)
      return
    }
    if (this.route!.upstream === undefined) {
      this.#queueTimer?.disarm()
      this.state = 'forwarding'
      this.answer()
    } else {
      this.#lease()
    }
  }

  #wait(gate: Gate): void {
    if (!gate.enqueue(this)) {
      this.#refusedBy(gate, 'queueFull')
      this.fail(refusals.queueFull)
      return
    }
    if (this.state !== 'queued') {
      this.state = 'queued'
      this.#queueTimer ??= new Timer(this, this.runtime.fine)
      this.#queueTimer.arm(queueTimeoutMs(this.route!))
      this.retain()
    }
  }

  #refusedBy(gate: Gate | undefined, reason: GateRefusal): void {
    gate?.refused(reason)
    this.retryAfterMs = gate?.estimatedWaitMs ?? 0
  }

  protected override granted(): void {
    this.#now = this.runtime.clock()
    this.waitedMs += this.#now - this.waitingSince
    this.#stage++
    this.#admit()
  }

  #leaveQueue(): void {
    this.#queueTimer?.disarm()
    if (this.state !== 'queued') return
    if (this.waiterState === 'waiting') this.waitedMs += this.runtime.clock() - this.waitingSince
    gateAt(this.route!, this.#stage)?.leave(this)
  }

  expired(timer: Timer): void {
    if (timer !== this.#queueTimer || this.state !== 'queued') return
    this.#refusedBy(gateAt(this.route!, this.#stage), 'queueTimeout')
    this.fail(refusals.queueTimeout)
  }

  #lease(): void {
    this.#queueTimer?.disarm()
    this.state = 'connecting'
    this.attempts++
    this.endpoint = this.#upstreamPermit.room as Endpoint
    this.#pool = this.endpoint.pool(this.connector)
    this.#leasing = true
    this.#pool.lease(this, this.#now)
    this.#leasing = false
    if (this.state === 'connecting') this.retain()
  }

  /** The pool has a connection for this unit. */
  connected(connection: Connection): void {
    if (!this.#leasing) this.connectMs += this.runtime.clock() - this.#now
    this.connection = connection
    this.#upstreamOpen = true
    if (this.state === 'connecting') {
      this.state = 'forwarding'
      try {
        this.forward(connection)
      } catch (fault) {
        // The caller may be serving another unit, whose connection this was: it must not pay for this one.
        this.fault(fault)
      }
    } else {
      // The unit was cut while a connection was made for it alone.
      this.#letGo(connection)
    }
  }

  /** The pool has none. */
  connectFailed(error: ProxyError): void {
    this.connectMs += this.runtime.clock() - this.#now
    if (this.state === 'connecting') this.#failedUpstream(error)
    else this.#upstreamClosed()
  }

  /**
   * The upstream half is closed and broken: tried again when the facts allow it, else the client hears of it. The
   * protocol has told the pool that the connection is gone.
   */
  upstreamFailed(error: ProxyError): void {
    this.connection = undefined
    if (!this.#downstreamOpen || this.reason !== 'ok') {
      this.#upstreamClosed()
      return
    }
    this.#upstreamOpen = false
    // What a stale connection met says nothing about the endpoint.
    if (!error.reusedConnection) this.endpoint?.failed(error)
    this.#failedUpstream(error)
  }

  /** The upstream half has closed: only now may another unit take its place. */
  #upstreamClosed(): void {
    this.#upstreamOpen = false
    this.#upstreamPermit.release()
    if (!this.#downstreamOpen) this.#settle()
  }

  #failedUpstream(error: ProxyError): void {
    const upstream = this.route!.upstream!
    const verdict = judgeRetry(
      error,
      {
        retries: this.attempts - 1,
        idempotent: this.idempotent,
        replayable: this.replayable,
        retrying: upstream.retrying,
        running: upstream.gate.running,
      },
      upstream.config.retries,
    )
    if (verdict === 'no') {
      // No connect is under way any more that `fail` would have to wait for.
      this.state = 'forwarding'
      this.fail(error)
      return
    }
    if (verdict === 'budget' && !this.#spentBudget) {
      this.#spentBudget = true
      upstream.retrying++
    }
    upstream.move(this.#upstreamPermit)
    if (error.refused) this.#leaseSoon()
    else this.#leaseAgain()
  }

  #leaseAgain(): void {
    this.#now = this.runtime.clock()
    this.#lease()
  }

  /** Whoever refuses may be about to say goodbye: once what it has sent is read, its connection is known not to be used. */
  #leaseSoon(): void {
    const { epoch } = this
    this.state = 'connecting'
    this.#pool = undefined
    this.runtime.turn.put({
      run: () => {
        if (this.epoch === epoch && this.state === 'connecting') this.#leaseAgain()
      },
      fault: (fault) => this.fault(fault),
    })
  }

  /** The upstream's last byte is in. `reusable`: the connection can carry another unit. */
  upstreamEnded(reusable: boolean): void {
    const connection = this.connection
    this.#upstreamOpen = false
    this.connection = undefined
    if (reusable && connection !== undefined) connection.pool.giveBack(connection)
    // The connection is back before the permit is, so that the next unit finds it.
    this.#upstreamClosed()
  }

  /** The last byte has gone to the client, or it expects nothing any more. */
  downstreamEnded(): void {
    if (!this.#downstreamOpen) return
    this.#downstreamOpen = false
    if (!this.#upstreamOpen) this.#settle()
    else if (this.route!.waitsForAbandoned === true) this.#limitAbandoned()
  }

  /** Ends the unit with an answer of ours, whatever it was at. */
  fail(error: ProxyError): void {
    // A client that has had its answer gets no other one, and the unit keeps its reason.
    if (this.state === 'done' || !this.#downstreamOpen) return
    this.#leaveQueue()
    this.reason = error.code
    this.#cutUpstream()
    this.refuse(error)
  }

  /** The client has left, or must leave: nothing more is said to it. */
  cancel(error: ProxyError): void {
    if (this.state === 'done') return
    this.#leaveQueue()
    if (this.reason === 'ok') this.reason = error.code
    this.#downstreamOpen = false
    const { epoch } = this
    this.#cutUpstream()
    // The upstream half may have closed in that very call, and the object may serve the next unit already.
    if (epoch === this.epoch && !this.#upstreamOpen) this.#settle()
  }

  #cutUpstream(): void {
    const { state } = this
    this.state = 'forwarding'
    if (this.connection !== undefined) {
      this.#letGo(this.connection)
    } else if (state === 'connecting' && !this.connector.reusable) {
      // The upstream may see this connection: it counts until it is made and closed, or has failed.
      this.#upstreamOpen = true
    } else if (!this.#upstreamOpen) {
      // Nothing of the unit is with an upstream: its permit is free at once.
      if (state === 'connecting') this.#pool?.forget(this)
      this.#upstreamPermit.release()
    }
  }

  /** Nobody wants what the upstream half brings: it is closed, or left to its end where a gate on the way says so. */
  #letGo(connection: Connection): void {
    if (this.route!.waitsForAbandoned !== true) return this.abort(connection)
    if (this.abandoned) return
    this.#limitAbandoned()
    this.abandon(connection)
  }

  #limitAbandoned(): void {
    if (this.abandoned) return
    this.abandoned = true
    const { responseMs } = this.route!.upstream!.config.timeouts
    this.#abandonment ??= new Abandonment(this, this.runtime.wheelFor(responseMs))
    this.#abandonment.begin(responseMs)
  }

  abandonedTooLong(): void {
    if (this.connection !== undefined) this.abort(this.connection)
  }

  /** A bug of ours, met while this unit was served: costs this unit only. */
  fault(fault: unknown): void {
    this.runtime.faulted(fault)
    if (this.state === 'done') return
    this.reason = 'internal'
    try {
      this.fail(new ProxyError('internal', String(fault), { cause: fault }))
    } catch (again) {
      // Not even saying so works: the client hears nothing, but what the unit holds comes back.
      this.runtime.faulted(again)
      this.cancel(refusals.clientGone)
    }
  }

  #settle(): void {
    if (this.state === 'done') return
    this.state = 'done'
    this.runtime.store.units.end()
    if (this.#generation !== undefined) this.#generation.exchanges--
    this.#generation = undefined
    this.#abandonment?.end()
    this.epoch++
    this.endedAt = this.runtime.clock()
    this.#upstreamPermit.release()
    this.#routePermit.release()
    this.#listenerPermit.release()
    if (this.#spentBudget) this.route!.upstream!.retrying--
    this.runtime.account(this)
    this.settled()
  }
}
