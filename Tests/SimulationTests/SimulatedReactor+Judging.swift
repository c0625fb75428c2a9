// What a turn of a simulated reactor is held to: its length, whom it closed and why, what it keeps. One thread.
import Buffers
import EventLoop

@testable import Buffers
@testable import Gateway
@testable import Topics

/// What a reactor had done before a turn.
struct TurnBaseline {
  let closes: [Int]
  let deliveriesDropped: Int
}

extension SimulatedReactor {
  /// Turns' lengths that a turn may last besides its dearest steps: those who had to wait and the timers have one each.
  private static var turnsMax: UInt64 { 10 }

  var baseline: TurnBaseline {
    TurnBaseline(closes: CloseReason.allCases.map(closes), deliveriesDropped: counter(.deliveriesDropped))
  }

  /// Prices the topics by who is subscribed here.
  func priceMail(_ plan: SimulationPlan) {
    let prices = plan.world.prices
    for topic in plan.topics {
      let hash = TopicTable.hash(topic.name.span, space: 1)
      let (members, filters) = audience(topic.name, hash)
      world.mail[number].prices[hash] =
        prices.delivery + UInt64(members) * prices.delivery + UInt64(filters) * prices.filter
    }
  }

  /// Judges the turn that has just ended.
  func judgeTurn(_ before: TurnBaseline, _ plan: SimulationPlan) {
    let turn = world.turns[number]
    let limit = Self.turnsMax * Limits.turnNanoseconds + 2 * turn.longestStep
    if turn.spent > limit {
      world.fail(
        "a turn of reactor \(number) lasts \(turn.spent / 1_000) µs of its own work, \(turn.posts) posts among it; "
          + "\(limit / 1_000) µs at most were expected")
    }
    let isByAge = counter(.deliveriesDropped) == before.deliveriesDropped
    forEachSlow { fd in if let socket = world.peek(fd) { judgeSlow(socket, turn, isByAge, plan) } }
    let reasons = CloseReason.allCases.enumerated().filter { closes($1) > before.closes[$0] }.map(\.element)
    for socket in world.closed where socket.reactor == number {
      if socket.wasSlow == nil && reasons.contains(.slow) { judgeSlow(socket, turn, isByAge, plan) }
      socket.closedFor.formUnion(reasons)
    }
    world.closed.removeAll { $0.reactor == number }
    judgeConnections(plan)
  }

  /// A connection is slow when its socket was tried in this turn and had no room, or when there was no news of room.
  private func judgeSlow(_ socket: SimulatedSocket, _ turn: SimulatedTurn, _ isByAge: Bool, _ plan: SimulationPlan) {
    if socket.wasSlow != nil { return }
    let age = UInt64(plan.configuration.limits.outboundAgeMillisecondsMax) * 1_000_000
    if socket.isGreedy {
      // The whole world stood still for as long as a backlog may age.
      socket.wasSlow = isByAge && world.now - socket.shortAt >= age
    } else {
      socket.wasSlow =
        socket.needsRoom || socket.isRoomNews || socket.shortAt >= turn.startedAt
        || (isByAge && world.now - socket.shortAt >= age)
    }
  }

  /// What is kept for one connection is bounded, and everyone is who it said.
  private func judgeConnections(_ plan: SimulationPlan) {
    let limit = plan.configuration.limits.outboundBytesMax + 2 * Limits.turnBytesMax + SimulationPlan.messageBytesMax
    let graceMilliseconds = UInt32(2 * Limits.slowGraceMilliseconds + Limits.lateReactorMilliseconds)
    let now = UInt32(truncatingIfNeeded: world.now / 1_000_000)
    forEachOpen { connection in
      // A burst may be over it for a moment; then the connection has sent it, or is closed.
      let isYoung = now &- connection.outbound.markTime < graceMilliseconds
      let maySpare = isYoung || plan.configuration.slowConsumerPolicy == .drop
      let allowed = maySpare ? limit + Limits.slowGraceBytesMax : limit
      if connection.outbound.isBlocked && connection.outbound.byteCount > allowed {
        world.fail("reactor \(number) keeps \(connection.outbound.byteCount) bytes for one connection")
      }
      guard connection.fd >= 0, let socket = world.peek(connection.fd) else { return }
      if connection.client != socket.claimed {
        world.fail("reactor \(number) takes socket \(socket.id) for someone else: \(connection.client)")
      }
    }
  }
}
