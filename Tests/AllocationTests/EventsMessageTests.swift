// Answering the built-in events takes no allocation.
import Buffers
import Dialects
import MallocCounter
import Testing
import Wire

@Suite(.enabled(if: malloc_counter_works(), "the sanitizers bring an allocator of their own"))
struct EventsMessageTests {
  /// Answers a message as the gateway does; false when it is none of those that are answered here.
  static func answer(
    _ message: Span<UInt8>, _ id: borrowing ByteBuffer, _ clock: borrowing TimestampClock, _ out: inout ByteBuffer
  ) -> Bool {
    guard case .event(let name, let data) = EventsSession.receive(message) else { return false }
    let sent = message.extracting(data?.range ?? 0..<0)
    out.removeAll()
    EventsEncoder.open("answer", .native, to: &out)
    switch EventsSession.builtIn(message, name) {
    case .ping: EventsEncoder.appendPong(timestamp: clock.iso, to: &out)
    case .echo: EventsEncoder.appendEcho(sent, socketId: id.bytes, timestamp: clock.iso, to: &out)
    case .message: EventsEncoder.appendReceived(sent, timestamp: clock.iso, to: &out)
    case .status:
      EventsEncoder.appendStatus(
        EventsProduct(), socketId: id.bytes, token: id.bytes, userId: id.bytes, isLoggedIn: true, .native,
        timestamp: clock.iso, to: &out)
    default: return false
    }
    EventsEncoder.close(.native, to: &out)
    return true
  }

  @Test("reading and answering the events of a native client allocates nothing")
  func events() {
    let ping = Client.bytes(#"{"event":"ping"}"#)
    let echo = Client.bytes(#"{"event":"echo","data":{"n":[1,2.5,"x"]}}"#)
    let message = Client.bytes(#"{"event":"message","data":"text"}"#)
    let status = Client.bytes(#"{"event":"status"}"#)
    let id = Client.bytes("ws-1795266408646-55ao3zi06")
    let clock = TimestampClock()
    var out = ByteBuffer(capacity: 1024)
    var answers = 0
    // The key set is made when it is first used.
    _ = EventsSession.receive(ping.bytes)
    let before = malloc_counter_here()
    for _ in 0..<2_500 {
      if Self.answer(ping.bytes, id, clock, &out) { answers += 1 }
      if Self.answer(echo.bytes, id, clock, &out) { answers += 1 }
      if Self.answer(message.bytes, id, clock, &out) { answers += 1 }
      if Self.answer(status.bytes, id, clock, &out) { answers += 1 }
    }
    let calls = malloc_counter_here() - before
    #expect(calls == 0)
    #expect(answers == 10_000)
  }
}
