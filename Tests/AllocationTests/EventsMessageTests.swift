// Answering the built-in events takes no allocation.
import Buffers
import Dialects
import MallocCounter
import Testing
import Wire

extension DataPathTests {
  @Test("reading and answering the events of a native client allocates nothing")
  func events() {
    let messages = [
      #"{"event":"ping"}"#, #"{"event":"echo","data":{"n":[1,2.5,"x"]}}"#, #"{"event":"message","data":"text"}"#,
      #"{"event":"status"}"#,
    ].map { Array($0.utf8) }
    let id = Client.bytes("ws-1795266408646-55ao3zi06")
    let token = Client.bytes("ZnAP2ynXEN-nTND0UxV6amEoPrMD6Y8hxV0IMXETnx4")
    let user = Client.bytes("usr_1")
    let product = EventsProduct()
    let clock = TimestampClock()
    var out = ByteBuffer(capacity: 1024)
    var answers = 0
    // The key set is made when it is first used.
    _ = EventsSession.receive(messages[0].span)
    let before = malloc_counter_here()
    for _ in 0..<2_500 {
      for index in 0..<4 {
        let message = messages[index].span
        guard case .event(let name, let data) = EventsSession.receive(message),
          let event = EventsSession.builtIn(message, name)
        else { continue }
        let sent = message.extracting(data?.range ?? 0..<0)
        out.removeAll()
        EventsEncoder.open("answer", .native, to: &out)
        switch event {
        case .ping: EventsEncoder.appendPong(timestamp: clock.iso, to: &out)
        case .echo: EventsEncoder.appendEcho(sent, socketId: id.bytes, timestamp: clock.iso, to: &out)
        case .message: EventsEncoder.appendReceived(sent, timestamp: clock.iso, to: &out)
        default:
          EventsEncoder.appendStatus(
            product, socketId: id.bytes, token: token.bytes, userId: user.bytes, isLoggedIn: true, .native,
            timestamp: clock.iso, to: &out)
        }
        EventsEncoder.close(.native, to: &out)
        answers += 1
      }
    }
    let calls = malloc_counter_here() - before
    #expect(calls == 0)
    #expect(answers == 10_000)
  }
}
