// The courier's thread: takes orders, keeps places and deadlines, drives libcurl. Owned by the thread.

/// What the courier's thread knows.
struct CourierLoop: ~Copyable {
  private let core: Core
  private let multi: CurlMulti
  private let concurrencyMax: Int
  /// Milliseconds of silence that a transfer may have.
  private let idleMilliseconds: UInt64?

  /// The places of one back end.
  private struct Lane {
    /// Transfers under way, and attempts that wait to be repeated.
    var active = 0
    var waiting: [Exchange] = []
    /// Where `waiting` begins: what is before has been taken out.
    var first = 0
  }
  private var lanes: [String: Lane] = [:]
  private var transfers: [ObjectIdentifier: Transfer] = [:]
  /// Attempts to be repeated.
  private var delayed: [(due: UInt64, exchange: Exchange, attempt: Int)] = []
  /// No deadline is before this.
  private var nextDeadline = UInt64.max

  init(core: Core, multi: CurlMulti) {
    self.core = core
    self.multi = multi
    concurrencyMax = max(1, core.options.concurrencyMax)
    idleMilliseconds = core.options.idleTimeoutMilliseconds.map { UInt64(max(1, $0)) }
  }

  /// Runs until the courier is stopped.
  mutating func run() {
    CurlMulti.blockBrokenPipes()
    while let orders = core.takeOrders() {
      for order in orders { obey(order) }
      let now = Core.now()
      repeatDelayed(now)
      multi.perform()
      while let (transfer, result) = multi.nextEnded() { ended(transfer, result, now) }
      expire(now)
      // What was just begun has a deadline of libcurl's own that is due: the wait ends at once.
      multi.wait(milliseconds: sleep())
    }
    close()
  }

  // MARK: orders

  private mutating func obey(_ order: Core.Order) {
    switch order {
    case .start(let exchange):
      nextDeadline = min(nextDeadline, exchange.deadline)
      lanes[exchange.origin, default: Lane()].waiting.append(exchange)
      fill(exchange.origin)
    case .cancel(let exchange):
      forget(exchange)
    case .resume(let exchange):
      guard let transfer = transfers[ObjectIdentifier(exchange)] else { return }
      transfer.resume()
      noteIdleDeadline(of: transfer)
    }
  }

  /// Begins what waits for a back end, as far as there are places.
  private mutating func fill(_ origin: String) {
    while var lane = lanes[origin] {
      if lane.first == lane.waiting.count {
        lanes[origin] = lane.active == 0 ? nil : Lane(active: lane.active)
        return
      }
      if lane.active >= concurrencyMax { return }
      // Without this the array would be copied for each exchange.
      lanes[origin] = nil
      let exchange = lane.waiting[lane.first]
      lane.first += 1
      if lane.first > 64 && lane.first * 2 > lane.waiting.count {
        lane.waiting.removeFirst(lane.first)
        lane.first = 0
      }
      // Cancelled while it waited; the order to forget it is on its way and will find nothing.
      let isOver = exchange.isOver
      if !isOver { lane.active += 1 }
      lanes[origin] = lane
      if isOver { core.release(origin) } else { begin(exchange, attempt: 0) }
    }
  }

  /// Begins an attempt of an exchange that has a place; one that libcurl refuses is over.
  private mutating func begin(_ exchange: Exchange, attempt: Int) {
    guard let transfer = Transfer(exchange, attempt: attempt, options: core.options), multi.add(transfer) else {
      exchange.finish(.cannotConnect("libcurl refuses the request"))
      leave(exchange)
      return
    }
    transfers[ObjectIdentifier(exchange)] = transfer
    noteIdleDeadline(of: transfer)
  }

  /// An exchange that had a place is over.
  private mutating func leave(_ exchange: Exchange) {
    lanes[exchange.origin]?.active -= 1
    core.release(exchange.origin)
  }

  // MARK: ends

  private mutating func ended(_ transfer: Transfer, _ result: Int32, _ now: UInt64) {
    let exchange = transfer.exchange
    let outcome = transfer.outcome(result)
    let isRepeated = transfer.attempt < core.options.retriesMax && transfer.isWorthRepeating(result)
    multi.remove(transfer)
    transfers[ObjectIdentifier(exchange)] = nil
    let doublings = UInt64(min(transfer.attempt, CourierLimits.backoffDoublingsMax))
    let due = now + CourierLimits.backoffMilliseconds << doublings
    if isRepeated && due < exchange.deadline && !exchange.isOver {
      delayed.append((due, exchange, transfer.attempt + 1))
      return
    }
    exchange.finish(outcome)
    leave(exchange)
    fill(exchange.origin)
  }

  /// Takes an exchange that has ended for its caller out of the books, wherever it is.
  private mutating func forget(_ exchange: Exchange) {
    if let transfer = transfers.removeValue(forKey: ObjectIdentifier(exchange)) {
      multi.remove(transfer)
      leave(exchange)
    } else if let index = delayed.firstIndex(where: { $0.exchange === exchange }) {
      delayed.remove(at: index)
      leave(exchange)
    } else if let lane = lanes[exchange.origin],
      let index = lane.waiting[lane.first...].firstIndex(where: { $0 === exchange })
    {
      lanes[exchange.origin]?.waiting.remove(at: index)
      core.release(exchange.origin)
    }
    fill(exchange.origin)
  }

  private mutating func repeatDelayed(_ now: UInt64) {
    let due = delayed.filter { $0.due <= now }
    if due.isEmpty { return }
    delayed.removeAll { $0.due <= now }
    for entry in due {
      begin(entry.exchange, attempt: entry.attempt)
      fill(entry.exchange.origin)
    }
  }

  /// Ends what has run out of time.
  private mutating func expire(_ now: UInt64) {
    if now < nextDeadline { return }
    nextDeadline = .max
    var late: [Exchange] = []
    for transfer in transfers.values { look(at: transfer.exchange, idleDeadline(of: transfer), now, &late) }
    for entry in delayed { look(at: entry.exchange, .max, now, &late) }
    for lane in lanes.values {
      for exchange in lane.waiting[lane.first...] { look(at: exchange, .max, now, &late) }
    }
    for exchange in late {
      exchange.finish(.timedOut)
      forget(exchange)
    }
  }

  private mutating func look(
    at exchange: Exchange, _ idleDeadline: UInt64, _ now: UInt64, _ late: inout [Exchange]
  ) {
    let deadline = min(exchange.deadline, idleDeadline)
    if deadline <= now {
      late.append(exchange)
    } else {
      nextDeadline = min(nextDeadline, deadline)
    }
  }

  /// When a transfer has been silent for too long; only moves on by being heard.
  private func idleDeadline(of transfer: Transfer) -> UInt64 {
    guard let idleMilliseconds, let heardAt = transfer.heardAt else { return .max }
    return heardAt + idleMilliseconds
  }

  private mutating func noteIdleDeadline(of transfer: Transfer) {
    nextDeadline = min(nextDeadline, idleDeadline(of: transfer))
  }

  /// Milliseconds until something is due.
  private func sleep() -> UInt64 {
    var next = nextDeadline
    for entry in delayed { next = min(next, entry.due) }
    let now = Core.now()
    return next <= now ? 0 : min(next - now, CourierLimits.sleepMillisecondsMax)
  }

  private mutating func close() {
    for order in core.end() {
      if case .start(let exchange) = order { exchange.finish(.stopped) }
    }
    for transfer in transfers.values {
      transfer.exchange.finish(.stopped)
      multi.remove(transfer)
    }
    for entry in delayed { entry.exchange.finish(.stopped) }
    for lane in lanes.values {
      for exchange in lane.waiting[lane.first...] { exchange.finish(.stopped) }
    }
    transfers = [:]
    delayed = []
    lanes = [:]
  }
}
