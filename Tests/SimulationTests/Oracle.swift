// What must, may and must not reach whom: the judge of a simulated run. It sees only what clients composed, handed over
// and read.

/// A topic with the ways in which clients spell it in JSON.
struct SimulatedTopic {
  let index: Int
  let name: [UInt8]
  let spellings: [String]
}

/// A message that some client published.
final class Publish {
  let session: Int
  let serial: Int
  let topic: Int
  /// The channel as the publisher spelled it, which is how it must come through.
  let channel: [UInt8]
  let data: [UInt8]
  /// The value of the member `k` that filters ask for; nil when the data is no object.
  let kind: Int?
  /// It stands behind the end of its connection.
  let isBehindEnd: Bool
  /// When its first byte went into the network.
  var handedAt = Int.max
  /// For each reactor, when it was first known that this reactor had dealt with it.
  var evidence: [Int]

  init(
    session: Int, serial: Int, topic: Int, channel: String, data: String, kind: Int?,
    isBehindEnd: Bool, reactors: Int
  ) {
    self.session = session
    self.serial = serial
    self.topic = topic
    self.channel = Array(channel.utf8)
    self.data = Array(data.utf8)
    self.kind = kind
    self.isBehindEnd = isBehindEnd
    evidence = Array(repeating: .max, count: reactors)
  }
}

/// One subscribe of one connection. It is in force at the earliest when composed, certainly once its answer was read;
/// over at the earliest when an unsubscribe was composed, certainly once the answer to that was read.
final class Subscription {
  let topic: Int
  /// The value of `k` that its filter asks for; nil without a filter.
  let kind: Int?
  let composedAt: Int
  var confirmedAt = Int.max
  var leavingAt = Int.max
  var leftAt = Int.max

  init(topic: Int, kind: Int?, composedAt: Int) {
    self.topic = topic
    self.kind = kind
    self.composedAt = composedAt
  }

  func takes(_ publish: Publish) -> Bool {
    topic == publish.topic && (kind == nil || kind == publish.kind)
  }
}

final class Oracle {
  let world: SimulatedWorld
  private(set) var sessions: [Session] = []
  private(set) var deliveries = 0
  private(set) var required = 0
  /// Answers that slow readers did not get, with the policy `drop`.
  var skippedAnswers = 0

  init(world: SimulatedWorld) { self.world = world }

  func enter(_ session: Session) { sessions.append(session) }
  var nextSession: Int { sessions.count }

  /// A client has read a published message.
  func received(_ session: Session, sender: Int, serial: Int, channel: [UInt8], data: [UInt8], from: [UInt8]) {
    guard sender >= 0, sender < sessions.count, serial >= 0, serial < sessions[sender].publishes.count else {
      world.fail("\(session) got a message that nobody sent: \(sender)/\(serial)")
      return
    }
    let now = world.nextSequence()
    let publish = sessions[sender].publishes[serial]
    let name = "message \(sender)/\(serial) on topic \(publish.topic)"
    if publish.channel != channel { world.fail("\(session): \(name) came under another name") }
    if publish.data != data { world.fail("\(session): \(name) came with other data") }
    if from != Array("\"\(sessions[sender].user)\"".utf8) { world.fail("\(session): \(name) came from someone else") }
    if publish.isBehindEnd { world.fail("\(session): \(name) stood behind the end of its connection") }
    if publish.handedAt == .max { world.fail("\(session): \(name) came before it was sent") }
    let last = session.lastSerials[sender] ?? -1
    if serial == last { world.fail("\(session): \(name) came twice") }
    if serial < last { world.fail("\(session): \(name) came after \(sender)/\(last)") }
    session.lastSerials[sender] = serial
    session.received.insert(sender << 32 | serial)
    let isAllowed = session.subscriptions.contains {
      $0.takes(publish) && $0.composedAt < now && publish.handedAt < $0.leftAt
    }
    if !isAllowed { world.fail("\(session): \(name) came without a subscription that takes it") }
    deliveries += 1
    let reactor = session.socket.reactor
    publish.evidence[reactor] = min(publish.evidence[reactor], now)
    sessions[sender].processed(upTo: serial, now: now)
  }

  /// Whether a connection certainly has to get a message, if it lives to read it.
  private func mustGet(_ session: Session, _ publish: Publish) -> Bool {
    if session.socket.reactor < 0 { return false }
    let evidence = publish.evidence[session.socket.reactor]
    return session.subscriptions.contains {
      $0.takes(publish) && $0.confirmedAt < publish.handedAt && ($0.leavingAt == .max || evidence < $0.leavingAt)
    }
  }

  /// Checks at a point where everything has been read that whoever lives has got everything, and whoever died a
  /// gapless beginning. What the gateway says that it dropped may be missing: so many posts, each to all of a reactor;
  /// and with the policy `drop` so many messages to readers who were slow.
  func checkNothingMissing(postsDropped: Int, deliveriesDropped: Int?) {
    var posts: Set<Int> = []
    var deliveries = skippedAnswers
    for session in sessions where !session.subscriptions.isEmpty {
      for sender in sessions where !sender.publishes.isEmpty {
        let last = session.lastSerials[sender.id] ?? -1
        for publish in sender.publishes {
          if !session.isAlive && publish.serial > last { break }
          let isProcessed = sender.isAlive || publish.serial <= sender.processedTo
          guard isProcessed, mustGet(session, publish) else { continue }
          required += 1
          if !session.received.contains(sender.id << 32 | publish.serial) {
            let reactor = session.socket.reactor
            if reactor != sender.socket.reactor && publish.evidence[reactor] == .max && postsDropped > 0 {
              posts.insert((sender.id << 24 | publish.serial) << 6 | reactor)
              continue
            }
            if deliveriesDropped != nil && session.mayMiss {
              deliveries += 1
              continue
            }
            let what = session.isAlive ? "never got" : "died with a gap at"
            world.fail(
              "\(session) \(what) message \(sender.id)/\(publish.serial) of \(sender) on topic \(publish.topic); "
                + "last from there was \(last)")
          }
        }
      }
    }
    if posts.count > postsDropped {
      world.fail("\(posts.count) posts got lost between reactors, and \(postsDropped) were dropped")
    }
    if let deliveriesDropped, deliveries > deliveriesDropped {
      world.fail("slow readers miss \(deliveries) messages, and \(deliveriesDropped) were dropped")
    }
  }
}
