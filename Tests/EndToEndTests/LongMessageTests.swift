// Long messages from several clients at once: received and decompressed in pieces, and still whole and in order.

import Foundation
import TestSeeds
import TestSupport
import Testing

extension EndToEndLoad {
  @Suite("Long messages")
  struct LongMessages {
    private static let senders = 4
    private static let messages = 6
    /// The subscriber reads when everything has been sent.
    private static let patient = [
      "--set", "limits.outboundBytesMax=268435456", "--set", "limits.outboundAgeMillisecondsMax=600000",
    ]

    @Test("long and short messages behind each other arrive whole and in order", arguments: [1, 2])
    func interleaved(reactors: Int) throws {
      var random = SeededRandom("Long messages, \(reactors) reactors")
      try withGateway(Self.patient, reactors: reactors) { gateway throws in
        let subscriber = try WebSocketClient(gateway, user: "subscriber")
        try subscriber.subscribe("long")
        let senders = try (0..<Self.senders).map { try WebSocketClient(gateway, user: "sender-\($0)") }
        var expected = (0..<Self.senders).map { _ in [Data]() }
        var unsent = [[UInt8]](repeating: [], count: Self.senders)
        for sender in 0..<Self.senders {
          for number in 0..<Self.messages {
            let data = #"{"sender":\#(sender),"number":\#(number),"rest":\#(Self.rest(&random))}"#
            expected[sender].append(Data(data.utf8))
            let text = #"{"action":"publish","channel":"long","payload":\#(data)}"#
            unsent[sender] += Self.frames([UInt8](text.utf8), &random)
          }
        }
        // Cut anywhere, so that pieces of all of them are under way at any time.
        while let sender = unsent.indices.filter({ !unsent[$0].isEmpty }).randomElement(using: &random) {
          let count = min(unsent[sender].count, random.number(1...400_000))
          try senders[sender].socket.send(Array(unsent[sender].prefix(count)))
          unsent[sender].removeFirst(count)
        }
        for _ in 0..<Self.senders * Self.messages {
          let message = try Data(subscriber.nextText().utf8)
          let start = try #require(message.prefix(200).firstRange(of: Data(#""data":"#.utf8))).upperBound
          let sender = try #require(
            (0..<Self.senders).first { message.dropFirst(start).starts(with: #"{"sender":\#($0),"#.utf8) })
          let due = try #require(expected[sender].first, "more than \(sender) has sent")
          #expect(message.dropFirst(start).prefix(due.count) == due, "another message of \(sender) was due")
          expected[sender].removeFirst()
        }
      }
    }

    /// A value that takes a few bytes or up to a million: a string, digits, or a list.
    private static func rest(_ random: inout SeededRandom) -> String {
      let size = random.pick([1, 50, 4_000, 20_000, 200_000, 1_000_000])
      switch random.number(0...2) {
      case 0: return "\"" + String(repeating: "é\\n", count: size / 4) + "\""
      case 1: return "0." + String(repeating: "7", count: size)
      default: return "[" + String(repeating: "1,", count: size / 2) + "1]"
      }
    }

    /// A text message in one frame or in a few.
    private static func frames(_ text: [UInt8], _ random: inout SeededRandom) -> [UInt8] {
      if random.number(0...1) == 0 { return ClientFrame(ClientFrame.text, text).bytes }
      let cut = random.number(0...text.count)
      return ClientFrame(ClientFrame.text, Array(text.prefix(cut)), isFinal: false).bytes
        + ClientFrame(0, Array(text.dropFirst(cut))).bytes
    }
  }
}
