// One epoll instance: edges, the doorbell, and that no wake-up is ever lost between a ring and a sleeping reactor.
import Buffers
import CLinux
import Glibc
import Synchronization
import TestSeeds
import Testing

@testable import EventLoop

@Suite("Reactor")
struct ReactorTests {
  /// The events of one turn. The doorbell's stands under `bell`.
  static func turn(_ reactor: inout Reactor, timeout: Int = 0) -> [SlabToken: Readiness] {
    var events: [SlabToken: Readiness] = [:]
    let count = reactor.wait(timeoutMilliseconds: timeout)
    for index in 0..<count {
      if let event = reactor.event(index) {
        events[event.token] = event.readiness
      } else {
        events[bell] = []
      }
    }
    return events
  }

  /// The readiness of `token`, waited for.
  static func readiness(_ reactor: inout Reactor, _ token: SlabToken, _ wanted: Readiness) -> Readiness {
    var seen: Readiness = []
    for _ in 0..<10 where !seen.isSuperset(of: wanted) {
      seen.formUnion(turn(&reactor, timeout: Int(patience) / 10)[token] ?? [])
    }
    return seen
  }

  static let token = SlabToken(index: 3, generation: 7)
  static let bell = SlabToken(rawValue: .max)

  @Test("a socket announces each change once")
  func edges() throws {
    let pair = try Connected()
    var reactor = try Reactor(doorbell: Doorbell())
    let isRegistered = reactor.register(socket: pair.server.fd, token: Self.token)
    #expect(isRegistered)
    let first = Self.readiness(&reactor, Self.token, .writable)
    #expect(first == .writable)
    var quiet = Self.turn(&reactor)
    #expect(quiet.isEmpty, "still writable is no news")

    #expect(send(pair.client.fd, [1, 2]) == .moved(2))
    let second = Self.readiness(&reactor, Self.token, .readable)
    #expect(second.contains(.readable) && !second.contains(.readEnd))
    quiet = Self.turn(&reactor)
    #expect(quiet.isEmpty, "unread bytes are no news")
    #expect(send(pair.client.fd, [3]) == .moved(1))
    let third = Self.readiness(&reactor, Self.token, .readable)
    #expect(third.contains(.readable))
    #expect(receive(pair.server.fd, 3) == [1, 2, 3])

    System.shutdownWrite(pair.client.fd)
    let end = Self.readiness(&reactor, Self.token, .readEnd)
    #expect(end.contains(.readEnd) && end.contains(.readable) && !end.contains(.broken))
    reactor.unregister(pair.server.fd)
    System.shutdownWrite(pair.server.fd)
    quiet = Self.turn(&reactor)
    #expect(quiet.isEmpty, "an unregistered socket is silent")
  }

  @Test("a full socket announces room once the peer has read")
  func writable() throws {
    let pair = try Connected()
    var reactor = try Reactor(doorbell: Doorbell())
    _ = reactor.register(socket: pair.server.fd, token: Self.token)
    _ = Self.readiness(&reactor, Self.token, .writable)
    var sent = 0
    let chunk = [UInt8](repeating: 1, count: 65_536)
    while case .moved(let count) = send(pair.server.fd, chunk) { sent += count }
    let quiet = Self.turn(&reactor)
    #expect(quiet[Self.token]?.contains(.writable) != true)
    #expect(receive(pair.client.fd, sent).count == sent)
    let room = Self.readiness(&reactor, Self.token, .writable)
    #expect(room.contains(.writable))
  }

  @Test("a reset connection is broken")
  func broken() throws {
    let listener = Socket(try System.listen(host: "127.0.0.1", port: 0, backlog: 8))
    let client = try System.connect(host: "127.0.0.1", port: System.boundPort(listener.fd), source: nil)
    let server = try acceptOne(listener.fd)
    var reactor = try Reactor(doorbell: Doorbell())
    _ = reactor.register(socket: server.fd, token: Self.token)
    System.reset(client)
    let readiness = Self.readiness(&reactor, Self.token, .broken)
    #expect(readiness.contains(.broken))
  }

  @Test("a listener is announced until everything is accepted, under its number", arguments: [false, true])
  func listeners(isShared: Bool) throws {
    let listener = Socket(try System.listen(host: "127.0.0.1", port: 0, backlog: 8))
    var reactor = try Reactor(doorbell: Doorbell())
    let isRegistered = reactor.register(listener: listener.fd, number: 2, isShared: isShared)
    #expect(isRegistered)
    let client = Socket(try System.connect(host: "127.0.0.1", port: System.boundPort(listener.fd), source: nil))
    let token = SlabToken(index: 2, generation: 0)
    for _ in 0..<3 {
      let readiness = Self.readiness(&reactor, token, .readable)
      #expect(readiness.contains(.readable))
    }
    let server = try acceptOne(listener.fd)
    let quiet = Self.turn(&reactor)
    #expect(quiet.isEmpty && server.fd >= 0 && client.fd >= 0)
  }

  @Test("registering a closed descriptor, or one twice, fails")
  func registerFails() throws {
    let pair = try Connected()
    let reactor = try Reactor(doorbell: Doorbell())
    let results = [
      reactor.register(socket: pair.server.fd, token: Self.token),
      reactor.register(socket: pair.server.fd, token: Self.token), reactor.register(socket: -1, token: Self.token),
    ]
    #expect(results == [true, false, false])
  }

  @Test("a rung doorbell wakes once; the flag lets exactly one ring through")
  func doorbell() throws {
    let doorbell = try Doorbell()
    var reactor = try Reactor(doorbell: doorbell)
    #expect(!doorbell.ringIfSleeping(), "nobody sleeps")
    var events = Self.turn(&reactor)
    #expect(events.isEmpty)
    doorbell.arm()
    #expect(doorbell.ringIfSleeping())
    #expect(!doorbell.ringIfSleeping(), "it has been rung already")
    events = Self.turn(&reactor, timeout: Int(patience))
    #expect(events.count == 1 && events[Self.bell] != nil)
    events = Self.turn(&reactor)
    #expect(events.isEmpty, "the bell was drained")
    doorbell.arm()
    doorbell.disarm()
    #expect(!doorbell.ringIfSleeping())
    doorbell.ring()
    doorbell.ring()
    events = Self.turn(&reactor, timeout: Int(patience))
    #expect(events.count == 1)
    events = Self.turn(&reactor)
    #expect(events.isEmpty)
  }

  @Test("a thread runs its body under its name, and can be joined")
  func threads() throws {
    let ran = Atomic<Int>(0)
    let box = Box(ran)
    let thread = try ReactorThread(name: "a name of more than fifteen", core: 0) {
      box.value.add(42, ordering: .releasing)
    }
    thread.join()
    #expect(box.value.load(ordering: .acquiring) == 42)
  }

  /// Shares a value that cannot be copied.
  final class Box<Value: ~Copyable & Sendable>: Sendable {
    let value: Value
    init(_ value: consuming Value) { self.value = value }
  }
}

@Suite("Doorbell and ring")
struct WakeUpTests {
  /// Hands an end of a ring to a thread.
  final class Handover<Value: ~Copyable & Sendable>: Sendable {
    private let value: Mutex<Value?>
    init(_ value: consuming sending Value) { self.value = Mutex(value) }
    func take() -> Value { value.withLock { $0.take()! } }
  }

  /// What the watchdog looks at.
  final class Progress: Sendable {
    let received = Atomic<Int>(0)
    let isDone = Atomic<Bool>(false)
    let hasStalled = Atomic<Bool>(false)
  }

  /// How long nothing may arrive before the test gives up.
  static let stallSeconds = 30

  /// Publishes `total` numbers in batches of random size with random pauses, ringing after each batch.
  static func produce(
    _ handover: Handover<RingProducer<Int>>, _ doorbell: Doorbell, _ total: Int, _ random: SeededRandom
  ) throws -> ReactorThread {
    try ReactorThread(name: "producer") {
      var producer = handover.take()
      var random = random
      var number = 0
      while number < total {
        for _ in 0..<1 + random.below(20) where number < total {
          guard producer.push(number) else { break }
          number += 1
        }
        if producer.publish() { doorbell.ringIfSleeping() }
        switch random.below(40) {
        case 0...2: usleep(UInt32(random.below(60)))
        case 3...12: sched_yield()
        case 13...20: for _ in 0..<random.below(400) { _ = random.next() }
        default: break
        }
      }
    }
  }

  /// Ends a consumer that nobody wakes any more.
  static func watch(_ progress: Progress, _ doorbell: Doorbell) throws -> ReactorThread {
    try ReactorThread(name: "watchdog") {
      var last = -1
      var quietTenths = 0
      while !progress.isDone.load(ordering: .acquiring) {
        usleep(100_000)
        let now = progress.received.load(ordering: .relaxed)
        quietTenths = now == last ? quietTenths + 1 : 0
        last = now
        if quietTenths >= stallSeconds * 10 {
          progress.hasStalled.store(true, ordering: .releasing)
          doorbell.ring()
          return
        }
      }
    }
  }

  @Test("no wake-up is lost, however producers pause and the consumer sleeps", arguments: [1, 2])
  func noLostWakeUp(producers: Int) throws {
    let total = 120_000 / producers
    let random = SeededRandom("doorbell and ring, \(producers) producers")
    let doorbell = try Doorbell()
    var reactor = try Reactor(doorbell: doorbell)
    let progress = Progress()
    var first = RingBuffer.make(of: Int.self, capacity: 64)
    var second = RingBuffer.make(of: Int.self, capacity: 64)
    var consumers = FixedArray<RingConsumer<Int>>(count: 2) { _ in
      var ends = RingBuffer.make(of: Int.self, capacity: 1)
      return ends.consumer.take()!
    }
    consumers[0] = first.consumer.take()!
    consumers[1] = second.consumer.take()!
    let one = try Self.produce(Handover(first.producer.take()!), doorbell, total, random)
    let other = try Self.produce(
      Handover(second.producer.take()!), doorbell, producers == 2 ? total : 0, SeededRandom("the second producer"))
    let watchdog = try Self.watch(progress, doorbell)

    var expected = [0, 0]
    var faults = 0
    var sleeps = 0
    while expected[0] + expected[1] < total * producers && !progress.hasStalled.load(ordering: .acquiring) {
      for index in 0..<2 {
        while let number = consumers[index].pop() {
          if number != expected[index] { faults += 1 }
          expected[index] += 1
        }
      }
      progress.received.store(expected[0] + expected[1], ordering: .relaxed)
      doorbell.arm()
      let isIdle = consumers[0].isEmpty() && consumers[1].isEmpty()
      if isIdle && expected[0] + expected[1] < total * producers {
        sleeps += 1
        let count = reactor.wait(timeoutMilliseconds: 600_000)
        for index in 0..<count { _ = reactor.event(index) }
      }
      doorbell.disarm()
    }
    progress.isDone.store(true, ordering: .releasing)
    let hasStalled = progress.hasStalled.load(ordering: .acquiring)
    // A producer with a full ring would never end once the consumer has given up.
    while hasStalled && (consumers[0].pop() != nil || consumers[1].pop() != nil) {}
    #expect(!hasStalled && faults == 0 && expected[0] + expected[1] == total * producers, "seed \(random.seed)")
    #expect(sleeps > 0, "the consumer never slept, so nothing was tried")
    if !hasStalled {
      one.join()
      other.join()
      watchdog.join()
    }
  }
}
