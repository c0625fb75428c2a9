// The session without I/O: time, waits and what is kept over a broken connection, step by step.

import Buffers
import Testing

@testable import MartletClient

/// A session with a clock of its own, and the server's half of the handshake.
private final class Bench {
  var session: ClientSession<ChannelsDialect>
  var now: UInt64 = 1_000_000
  private var ticket: Ticket = 0

  init(_ change: (inout ClientOptions) -> Void = { _ in }) throws {
    var options = ClientOptions()
    options.jitter = { 1 }
    change(&options)
    session = ClientSession(
      dialect: ChannelsDialect(), url: try ClientURL("ws://h/c", scheme: "ws"), options: options)
  }

  var phase: ClientSession<ChannelsDialect>.Phase { session.phase }
  var isPaused: Bool { session.isPaused }
  var wantsClose: Bool { session.wantsClose }
  var nextDeadline: UInt64? { session.nextDeadline }
  var waitingForRoom: Int { session.roomTickets.count }

  func nextTicket() -> Ticket {
    ticket += 1
    return ticket
  }

  func feed(_ text: String) { feed([UInt8](text.utf8)) }

  func feed(_ bytes: [UInt8]) {
    session.transport.receive { $0.append(bytes.span) }
    session.received(now)
  }

  /// From the beginning of an attempt to an open connection.
  func open() {
    session.start()
    session.authenticated(attempt: session.attempt, token: "t", isFresh: true, now)
    session.socketOpened()
    _ = drain()
    feed(
      FakeConnection.acceptance("Sec-WebSocket-Key: \(session.handshake.key)\r\n\r\n"))
  }

  /// Takes everything that waits for the socket, or only some of it.
  func drain(_ count: Int = .max) -> [UInt8] {
    var taken: [UInt8] = []
    session.fill(now)
    session.transport.send { bytes in
      for index in 0..<min(count, bytes.count) { taken.append(bytes[index]) }
      return taken.count
    }
    session.sent()
    return taken
  }

  /// The wait that has just begun, in milliseconds.
  var wait: UInt64? { session.phase == .waiting ? session.phaseDeadline.map { $0 - now } : nil }

  func fail() {
    session.socketEnded("broken", now)
  }

  func passWait() {
    now = session.phaseDeadline ?? now
    session.tick(now)
  }

  func publish(_ text: String) -> Bool {
    let ticket = nextTicket()
    if case .accepted = session.publish([UInt8](text.utf8), ticket: ticket) { return true }
    return false
  }

  /// What is queued, in order.
  func queued() -> [String] {
    var copy = session.queue
    var texts: [String] = []
    while let entry = copy.popFirst() { texts.append(String(decoding: entry.text, as: UTF8.self)) }
    return texts
  }
}

@Suite("Session of a client, without I/O")
struct ClientSessionTests {
  @Test("waits double from one second to thirty, and start over after a minute of success")
  func backoff() throws {
    let bench = try Bench()
    bench.session.start()
    var waits: [UInt64] = []
    for _ in 0..<7 {
      bench.session.authenticated(attempt: bench.session.attempt, token: nil, isFresh: true, bench.now)
      bench.fail()
      waits.append(bench.wait ?? 0)
      bench.passWait()
    }
    #expect(waits == [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000])
    bench.open()
    #expect(bench.phase == .open)
    bench.now += 59_999
    bench.fail()
    #expect(bench.wait == 30_000, "not long enough to count")
    bench.passWait()
    bench.open()
    bench.now += 60_000
    bench.fail()
    #expect(bench.wait == 1_000)
  }

  @Test("the random factor makes every wait between nothing and the whole possible")
  func jitter() throws {
    for factor in [0, 0.25, 0.999] {
      let bench = try Bench { $0.jitter = { factor } }
      bench.open()
      bench.fail()
      #expect(bench.wait == UInt64(1_000 * factor))
    }
  }

  @Test(
    "Retry-After is obeyed within reason", arguments: [("3", 3_000), ("0", 1_000), ("x", 1_000), ("99999", 300_000)])
  func retryAfter(value: String, wait: UInt64) throws {
    let bench = try Bench()
    bench.session.start()
    bench.session.authenticated(attempt: 1, token: nil, isFresh: true, bench.now)
    bench.session.socketOpened()
    bench.feed("HTTP/1.1 503 X\r\nRetry-After: \(value)\r\n\r\n")
    #expect(bench.wait == wait)
  }

  @Test("after 1001 the wait is short, however many failures came before")
  func atOnce() throws {
    let bench = try Bench()
    for _ in 0..<4 {
      bench.open()
      bench.fail()
      bench.passWait()
    }
    bench.open()
    bench.feed(FakeConnection.frame(8, [3, 233]))
    #expect(bench.phase == .closing)
    #expect(bench.drain().count == 8, "the echo, masked")
    bench.fail()
    #expect(bench.wait == 1_000)
  }

  @Test("messages that had not left whole go first over the next connection, each once")
  func unsent() throws {
    let bench = try Bench()
    bench.open()
    for number in 0..<5 { #expect(bench.publish("m\(number)")) }
    // A masked frame of two bytes has eight. Two and a half leave.
    #expect(bench.drain(20).count == 20)
    #expect(bench.publish("m5"))
    bench.fail()
    #expect(bench.queued() == ["m2", "m3", "m4", "m5"])
    bench.passWait()
    bench.open()
    #expect(bench.drain().count == 32)
    bench.fail()
    #expect(bench.queued() == [])
  }

  @Test("after the gateway's close frame nothing more is sent but the frame under way and the echo")
  func cut() throws {
    let bench = try Bench()
    bench.open()
    for number in 0..<5 { #expect(bench.publish("m\(number)")) }
    #expect(bench.drain(12).count == 12)
    bench.feed(FakeConnection.frame(8, [3, 233]))
    #expect(bench.drain().count == 4 + 8)
    bench.fail()
    #expect(bench.queued() == ["m1", "m2", "m3", "m4"])
  }

  @Test("subscriptions go before queued messages on a new connection; commands of the old one are forgotten")
  func order() throws {
    let bench = try Bench()
    #expect(bench.publish("early"))
    let inbox = Inbox<ChannelsMessage>(messagesMax: 10) {}
    let ticket = bench.nextTicket()
    let isEarly = try !bench.session.subscribe("a", filters: nil, inbox: inbox, id: 7, ticket: ticket, bench.now)
    #expect(isEarly)
    bench.open()
    #expect(bench.queued() == [#"{"action":"subscribe","channel":"a"}"#, "early"])
    let second = bench.nextTicket()
    let waits = try bench.session.subscribe(
      "b", filters: [UInt8]("{}".utf8), inbox: inbox, id: 8, ticket: second, bench.now)
    #expect(waits)
    bench.fail()
    #expect(bench.queued() == ["early"])
    bench.session.actions = []
    bench.passWait()
    bench.open()
    #expect(
      bench.queued() == [
        #"{"action":"subscribe","channel":"a"}"#, #"{"action":"subscribe","channel":"b","filters":{}}"#, "early",
      ])
    bench.feed(FakeConnection.frame(1, [UInt8](#"{"type":"subscribed","channel":"a"}"#.utf8)))
    #expect(!resumed(bench, second))
    bench.feed(FakeConnection.frame(1, [UInt8](#"{"type":"subscribed","channel":"b"}"#.utf8)))
    #expect(resumed(bench, second))
  }

  private func resumed(_ bench: Bench, _ ticket: Ticket) -> Bool {
    bench.session.actions.contains { if case .resume(ticket, nil) = $0 { true } else { false } }
  }

  @Test("a silent connection is pinged after the interval and given up after the time for the answer")
  func heartbeat() throws {
    let bench = try Bench()
    bench.open()
    #expect(bench.nextDeadline == bench.now + 20_000)
    bench.now += 19_999
    bench.session.tick(bench.now)
    #expect(bench.drain().isEmpty)
    bench.now += 1
    bench.session.tick(bench.now)
    #expect(bench.drain().first == 0x89)
    bench.now += 9_999
    bench.feed(FakeConnection.frame(10, []))
    bench.now += 20_000
    bench.session.tick(bench.now)
    #expect(bench.drain().first == 0x89)
    bench.now += 10_000
    bench.session.tick(bench.now)
    #expect(bench.phase == .waiting)
    #expect(bench.wantsClose)
  }

  @Test("results of an attempt that is over change nothing")
  func stale() throws {
    let bench = try Bench()
    bench.session.start()
    bench.session.authenticated(attempt: 1, token: nil, isFresh: true, bench.now)
    bench.fail()
    bench.session.authenticated(attempt: 1, token: nil, isFresh: true, bench.now)
    #expect(bench.phase == .waiting)
    bench.passWait()
    bench.session.authenticated(attempt: 1, token: nil, isFresh: true, bench.now)
    #expect(bench.phase == .authenticating)
    bench.session.authenticationFailed(attempt: 1, "x", isFinal: true, bench.now)
    #expect(bench.phase == .authenticating)
  }

  @Test("a full inbox stops reading in the middle of what has arrived, and goes on at half")
  func pause() async throws {
    let bench = try Bench { $0.inboxMessagesMax = 4 }
    bench.open()
    let inbox = Inbox<ChannelsMessage>(messagesMax: 4) {}
    let ticket = bench.nextTicket()
    _ = try bench.session.subscribe("c", filters: nil, inbox: inbox, id: 1, ticket: ticket, bench.now)
    var bytes = FakeConnection.frame(1, [UInt8](Live.Scripted.acknowledgement.utf8))
    for number in 0..<10 { bytes += FakeConnection.frame(1, [UInt8](Live.Scripted.message("\(number)").utf8)) }
    bench.feed(bytes)
    #expect(bench.isPaused)
    bench.now += 1_000_000
    bench.session.tick(bench.now)
    #expect(bench.phase == .open, "no heartbeat while nothing is read")
    var texts: [String] = []
    for _ in 0..<10 {
      texts.append(await inbox.next()?.text ?? "")
      bench.session.roomMade(bench.now)
    }
    #expect(texts == (0..<10).map { "\($0)" })
    #expect(!bench.isPaused)
  }

  @Test("the queue counts messages and bytes, and what waits for room is let go when half of it is gone")
  func room() throws {
    let bench = try Bench { $0.queuedMessagesMax = 4 }
    bench.open()
    for number in 0..<4 { #expect(bench.publish("\(number)")) }
    #expect(!bench.publish("4"))
    #expect(bench.waitingForRoom == 1)
    bench.session.actions = []
    _ = bench.drain()
    #expect(resumed(bench, 5))
    let small = try Bench { $0.queuedBytesMax = 10 }
    #expect(small.publish("12345678901234567890"), "a single message may be longer than the whole queue")
    #expect(!small.publish("1"))
  }

  @Test("a message over the limit is refused")
  func tooBig() throws {
    let bench = try Bench { $0.messageBytesMax = 3 }
    #expect(bench.publish("123"))
    #expect(!bench.publish("1234"))
  }
}
