// The promise of no allocation per message, counted: the parts on their own, and a whole gateway with two reactors.
import Auth
import Buffers
import Dialects
import EventLoop
import Gateway
import MallocCounter
import Testing
import Wire

@Suite(.serialized, .enabled(if: malloc_counter_works(), "the sanitizers bring an allocator of their own"))
struct DataPathTests {
  @Test("decoding ten thousand frames, whole and in pieces, allocates nothing")
  func decoding() {
    let payload = Client.bytes("{\"action\":\"publish\",\"channel\":\"news\",\"payload\":{\"text\":\"grüß dich\"}}")
    var wire = ByteBuffer(capacity: 4096)
    for _ in 0..<10 { FrameEncoder.append(.text, mask: 0x1234_5678, payload.bytes, to: &wire) }
    var buffer = ByteBuffer(capacity: 4096)
    let limits = FrameLimits(messageBytesMax: 1_048_576, fragmentsMax: 100)
    var messages = 0
    var parts = 0
    let before = malloc_counter_here()
    for round in 0..<1_000 {
      var decoder = FrameDecoder()
      buffer.removeAll()
      // Every other round ends in the middle of the last frame.
      let end = round % 2 == 0 ? wire.count : wire.count - 20
      buffer.append(wire.bytes.extracting(0..<end))
      var offset = 0
      decoding: while offset < buffer.count {
        switch decoder.next(in: &buffer, at: &offset, sender: .client, allowsCompression: false, limits: limits) {
        case .message: messages += 1
        case .part: parts += 1
        default: break decoding
        }
      }
    }
    let calls = malloc_counter_here() - before
    #expect(calls == 0)
    #expect(messages == 9_500)
    #expect(parts == 500)
  }

  @Test("reading and encoding a publish of the channels dialect allocates nothing")
  func publishing() {
    let message = Client.bytes("{\"channel\":\"news\",\"payload\":{\"n\":[1,2.5,\"x\"]},\"action\":\"publish\"}")
    let from = Client.bytes("\"usr_123\"")
    var out = ByteBuffer(capacity: 1024)
    let clock = TimestampClock()
    var published = 0
    // The key set is made when it is first used.
    _ = ChannelsSession.receive(message.bytes)
    let before = malloc_counter_here()
    for _ in 0..<10_000 {
      guard case .publish(let channel, let payload) = ChannelsSession.receive(message.bytes) else { break }
      out.removeAll()
      _ = ChannelsEncoder.appendMessage(
        in: message.bytes, channel: channel, payload: payload, from: from.bytes, timestamp: clock.iso, to: &out)
      published += 1
    }
    let calls = malloc_counter_here() - before
    #expect(calls == 0)
    #expect(published == 10_000)
  }

  @Test("reading, naming and encoding a publish of the sessions dialect allocates nothing")
  func publishingInSessions() {
    let message = Client.bytes(
      "publish-json:{\"publisher_name\":\"me\",\"topic\":\"news\",\"payload\":\"x\",\"timestamp\":\"t\"}")
    let session = Client.bytes("session-A")
    var name = ByteBuffer(capacity: 1024)
    var out = ByteBuffer(capacity: 1024)
    var published = 0
    // The key set is made when it is first used.
    _ = SessionsSession.receive(message.bytes)
    let before = malloc_counter_here()
    for _ in 0..<10_000 {
      guard case .publish(let publication) = SessionsSession.receive(message.bytes) else { break }
      name.removeAll()
      out.removeAll()
      guard
        SessionTopic.append(in: message.bytes, publication, current: session.bytes, bytesMax: 255, to: &name)
      else { break }
      SessionsEncoder.appendMessage(in: message.bytes, publication, session: session.bytes, to: &out)
      published += 1
    }
    let calls = malloc_counter_here() - before
    #expect(calls == 0)
    #expect(published == 10_000)
  }

  @Test("reading and answering a request of the handlers dialect allocates nothing")
  func answering() {
    let message = Client.bytes("{\"message\":{\"n\":[1,2.5]},\"type\":\"user_message\"}")
    var out = ByteBuffer(capacity: 1024)
    var answered = 0
    _ = HandlersSession.receive(message.bytes)
    let before = malloc_counter_here()
    for _ in 0..<10_000 {
      guard case .request(let type) = HandlersSession.receive(message.bytes) else { break }
      out.removeAll()
      HandlersEncoder.append(HandlersSession.builtInReply(message.bytes, type: type), to: &out)
      answered += 1
    }
    let calls = malloc_counter_here() - before
    #expect(calls == 0)
    #expect(answered == 10_000)
  }

  @Test("a gateway with two reactors routes and delivers in the steady state without allocating", arguments: [1, 16])
  func gateway(burst: Int) throws {
    let secret = "a secret for the allocation test, long enough"
    var configuration = Configuration()
    configuration.reactorCount = 2
    configuration.admin = nil
    configuration.channels.jwtSecret = Secret(secret)
    configuration.channels.telemetryIntervalMilliseconds = 0
    configuration.heartbeatIntervalMilliseconds = 3_600_000
    configuration.listeners = [
      ListenerConfiguration(
        address: .tcp(host: "127.0.0.1", port: 0), mounts: [MountConfiguration(.any, .dialect(.channels))])
    ]
    // Other suites of this process have gateways too; theirs are not counted.
    let server = try GatewayServer(
      configuration, logger: Logger(format: .text, level: .error), threadName: "counted\(burst)")
    defer {
      server.stop()
      server.join()
    }
    let port = try #require(server.addresses.first?.split(separator: ":").last.flatMap { UInt16($0) })
    let key = try #require(JWTKey(secret: secret))
    let token = JWTSigner.sign(claims: [("userId", .string("usr_1"))], key: key)
    var subscribers = FixedArray(count: 24) { _ in Client(port: port, token: token) }
    let publisher = Client(port: port, token: token)
    // One listener a reactor: among 24 connections both have some, as their deliveries show below.
    for index in 0..<subscribers.count { subscribers[index].subscribe("news") }
    let publishes = Client.frames(
      "{\"action\":\"publish\",\"channel\":\"news\",\"payload\":{\"n\":12345}}", count: burst)
    let rounds = 400
    let perFrame = try #require(publisher.measure(publishes, burst, &subscribers))
    for _ in 0..<rounds { publisher.publish(publishes, to: &subscribers, bytes: perFrame * burst) }
    // SAFETY: the literal is a terminated string for the call.
    let before = unsafe malloc_counter_of("counted\(burst)-")
    for _ in 0..<rounds { publisher.publish(publishes, to: &subscribers, bytes: perFrame * burst) }
    // SAFETY: as above.
    let calls = unsafe malloc_counter_of("counted\(burst)-") - before
    #expect(calls == 0)
    for index in 0..<subscribers.count {
      let received = subscribers[index].received
      #expect(received == perFrame * burst * (rounds * 2 + 1))
    }
    #expect(before > 0, "the counter saw the reactors at work")
  }
}

/// A client that counts the bytes it gets. Everything it needs is allocated when it is made.
struct Client: ~Copyable {
  let fd: Int32
  var buffer = ByteBuffer(capacity: 65_536)
  /// Bytes received since `subscribe`.
  var received = 0

  init(port: UInt16, token: String) {
    do { fd = try System.connect(host: "127.0.0.1", port: port, source: nil) } catch { fatalError("\(error)") }
    let request = """
      GET /?token=\(token) HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
      Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n
      """
    send(Self.bytes(request))
    expect(ending: "\"userId\":\"usr_1\"}")
  }

  deinit { System.close(fd) }

  static func bytes(_ text: String) -> ByteBuffer {
    var buffer = ByteBuffer()
    buffer.append(string: text)
    return buffer
  }

  static func frames(_ text: String, count: Int) -> ByteBuffer {
    var wire = ByteBuffer()
    let payload = bytes(text)
    for _ in 0..<count { FrameEncoder.append(.text, mask: 0xA1B2_C3D4, payload.bytes, to: &wire) }
    return wire
  }

  mutating func subscribe(_ channel: String) {
    send(Self.frames("{\"action\":\"subscribe\",\"channel\":\"\(channel)\"}", count: 1))
    expect(ending: "\"channel\":\"\(channel)\"}")
    received = 0
  }

  func send(_ bytes: borrowing ByteBuffer) {
    var sent = 0
    while sent < bytes.count {
      switch System.send(fd, bytes.bytes.extracting(sent..<bytes.count)) {
      case .moved(let count): sent += count
      case .wouldBlock: System.pause(milliseconds: 1)
      default: return
      }
    }
  }

  /// Reads until what has come ends with `text`.
  private mutating func expect(ending text: String) {
    buffer.removeAll()
    let end = Array(text.utf8)
    for _ in 0..<5_000 {
      _ = System.receive(fd, into: &buffer, atMost: 4096)
      if buffer.count >= end.count
        && buffer.bytes.extracting((buffer.count - end.count)..<buffer.count).equals(end.span)
      {
        return
      }
      System.pause(milliseconds: 1)
    }
    fatalError("did not get \(text)")
  }

  /// Receives until `received` is `total`.
  mutating func receive(until total: Int) {
    var idle = 0
    while received < total && idle < 10_000 {
      buffer.removeAll()
      if case .moved(let count) = System.receive(fd, into: &buffer, atMost: 65_536) {
        received += count
        idle = 0
      } else {
        idle += 1
        System.pause(milliseconds: 1)
      }
    }
  }

  /// Publishes a burst and waits until every subscriber has all of it.
  func publish(_ wire: borrowing ByteBuffer, to subscribers: inout FixedArray<Client>, bytes: Int) {
    send(wire)
    for index in 0..<subscribers.count { subscribers[index].receive(until: subscribers[index].received + bytes) }
  }

  /// Publishes a first burst and finds out how many bytes one delivered frame has; nil when nothing comes.
  func measure(_ wire: borrowing ByteBuffer, _ burst: Int, _ subscribers: inout FixedArray<Client>) -> Int? {
    send(wire)
    var size: Int?
    for index in 0..<subscribers.count {
      var quiet = 0
      while quiet < 100 {
        let before = subscribers[index].received
        subscribers[index].buffer.removeAll()
        if case .moved(let count) = System.receive(
          subscribers[index].fd, into: &subscribers[index].buffer, atMost: 65_536)
        {
          subscribers[index].received += count
        }
        quiet = subscribers[index].received == before ? quiet + 1 : 0
        if subscribers[index].received > 0 && quiet > 20 { break }
        System.pause(milliseconds: 1)
      }
      size = subscribers[index].received / burst
    }
    return size == 0 ? nil : size
  }
}
