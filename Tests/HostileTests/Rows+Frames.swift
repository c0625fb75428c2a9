// Hostile frames: lines 15 to 19, 21 and 22 of HOSTILE. Constants.

import TestSupport
import Testing

extension Rows {
  private static func frame(
    _ opcode: UInt8, _ payload: [UInt8] = [0x78], isFinal: Bool = true, reserved: UInt8 = 0
  ) -> [UInt8] {
    var frame = ClientFrame(opcode, payload, isFinal: isFinal)
    frame.reserved = reserved
    return frame.bytes
  }

  /// The first bytes of a masked text frame with a length in eight bytes, and a little payload.
  private static func long(_ length: UInt64) -> [UInt8] {
    [0x81, 0xFF] + stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: length >> UInt64($0)) }
      + [1, 2, 3, 4] + [UInt8](repeating: 0x41, count: 64)
  }

  private static var unmasked: [UInt8] {
    var frame = ClientFrame(ClientFrame.text, [UInt8](#"{"action":"ping"}"#.utf8))
    frame.mask = nil
    return frame.bytes
  }

  /// A message in `count` frames of this payload, the last one missing.
  private static func fragments(_ count: Int, _ payload: [UInt8]) -> [UInt8] {
    frame(ClientFrame.text, payload, isFinal: false)
      + (1..<count).flatMap { _ in frame(ClientFrame.continuation, payload, isFinal: false) }
  }

  private static func zeros(_ count: Int) -> [UInt8] { [UInt8](repeating: 0x30, count: count) }

  private static let limit = 1_048_576
  private static let tooBig = "message_too_big"

  /// Lines 15 to 19: headers, lengths, fragments.
  static let frames: [HostileRow] = reservedBits + opcodes + sizes

  private static let reservedBits: [HostileRow] = [
    .frames(15, "an unmasked frame", unmasked, 1002),
    .frames(15, "RSV1 without an extension", frame(ClientFrame.text, reserved: 4), 1002),
    .frames(15, "RSV2", frame(ClientFrame.text, reserved: 2), 1002),
    .frames(15, "RSV3", frame(ClientFrame.binary, reserved: 1), 1002),
    .frames(15, "RSV2 where compression was negotiated", frame(1, reserved: 2), 1002, isCompressed: true),
    .frames(
      15, "RSV1 on a continuation", frame(1, isFinal: false) + frame(0, reserved: 4), 1002, isCompressed: true),
    .frames(15, "RSV1 on a ping", frame(ClientFrame.ping, reserved: 4), 1002, isCompressed: true),
    .frames(15, "RSV1 on a close", frame(ClientFrame.close, [3, 232], reserved: 4), 1002, isCompressed: true),
  ]

  private static let opcodes: [HostileRow] = ([3, 4, 5, 6, 7, 11, 12, 13, 14, 15] as [UInt8]).map { opcode in
    .frames(15, "opcode \(opcode)", frame(opcode), 1002)
  }

  private static let sizes: [HostileRow] = [
    .frames(16, "a ping of 126 bytes", frame(ClientFrame.ping, zeros(126)), 1002),
    .frames(16, "a pong of 64 KiB", frame(ClientFrame.pong, zeros(65_536)), 1002),
    .frames(16, "a close of 126 bytes", frame(ClientFrame.close, [3, 232] + zeros(124)), 1002),
    .frames(16, "a fragmented ping", frame(ClientFrame.ping, isFinal: false), 1002),
    .frames(16, "a fragmented close", frame(ClientFrame.close, [3, 232], isFinal: false), 1002),

    .frames(17, "a length with the top bit set", long(1 << 63), 1002),
    .frames(17, "a length of 2^64-1", long(.max), 1002),
    .frames(17, "a length of 2^63-1", long((1 << 63) - 1), 1002),
    .frames(17, "a length of 2^32", long(1 << 32), 1002),
    .frames(17, "a length of 2^32-1", long((1 << 32) - 1), 1009, tooBig),
    .frames(17, "a length one over the limit", long(UInt64(limit + 1)), 1009, tooBig),
    .frames(17, "125 in eight bytes", long(125), 1002),
    .frames(17, "65 535 in eight bytes", long(65_535), 1002),
    .frames(17, "125 in two bytes", [0x81, 0xFE, 0, 125, 1, 2, 3, 4] + zeros(125), 1002),

    .frames(18, "a whole message over the limit", frame(ClientFrame.text, zeros(limit + 1)), 1009, tooBig),
    .frames(
      18, "a message over the limit in two fragments",
      frame(1, zeros(limit / 2), isFinal: false) + frame(0, zeros(limit / 2 + 1)), 1009, tooBig),
    .frames(18, "1 025 empty fragments", fragments(1_025, []), 1008, "too_many_fragments"),
    .frames(18, "1 025 fragments of one byte", fragments(1_025, [0x30]), 1008, "too_many_fragments"),

    .frames(19, "a continuation without a start", frame(ClientFrame.continuation), 1002),
    .frames(19, "a last continuation without a start", frame(ClientFrame.continuation, []), 1002),
    .frames(19, "text inside a fragmented message", frame(1, isFinal: false) + frame(1), 1002),
    .frames(19, "binary inside a fragmented message", frame(1, isFinal: false) + frame(2), 1002),
    .frames(19, "a continuation behind the last", frame(1, isFinal: false) + frame(0) + frame(0), 1002),
  ]

  private static func badText(_ name: String, _ bytes: [UInt8]) -> HostileRow {
    .frames(21, name, frame(ClientFrame.text, bytes), 1007, "invalid_text")
  }

  private static func badClose(_ code: UInt16) -> HostileRow {
    .frames(21, "close code \(code)", frame(ClientFrame.close, [UInt8(code >> 8), UInt8(code & 0xFF)]), 1002)
  }

  /// Line 21: text and endings.
  static let text: [HostileRow] = badTexts + badCloses + endings

  private static let badTexts: [HostileRow] = [
    badText("an overlong slash", [0xC0, 0xAF]), badText("an overlong NUL", [0xE0, 0x80, 0x80]),
    badText("a surrogate", [0xED, 0xA0, 0x80]), badText("above U+10FFFF", [0xF4, 0x90, 0x80, 0x80]),
    badText("five bytes", [0xF8, 0x88, 0x80, 0x80, 0x80]), badText("a stray continuation byte", [0x41, 0x80]),
    badText("a character without its end", [0x41, 0xE2, 0x82]), badText("FF", [0xFF]),
    .frames(
      21, "a bad character split over fragments", frame(1, [0xED], isFinal: false) + frame(0, [0xA0, 0x80]), 1007,
      "invalid_text"),
    // Fail fast: no more than this ever comes.
    .frames(21, "a bad byte in the first fragment", frame(1, [0xFF], isFinal: false), 1007, "invalid_text"),
    .frames(
      21, "a bad byte early in a long frame", Array(frame(1, [0xFF] + zeros(5_000)).prefix(100)), 1007, "invalid_text"
    ),
    .frames(21, "a close body of one byte", frame(ClientFrame.close, [3]), 1002),
    .frames(
      21, "a close reason that is not UTF-8", frame(ClientFrame.close, [3, 232, 0xC0, 0xAF]), 1007, "invalid_text"),
  ]

  private static let badCloses: [HostileRow] =
    ([0, 999, 1004, 1005, 1006, 1015, 1016, 2_999, 5_000, 65_535] as [UInt16]).map(badClose)

  private static let endings: [HostileRow] = [
    HostileRow(
      line: 21, name: "data after close",
      attack: .frames(
        { frame(ClientFrame.close, [3, 232]) + frame(1, [UInt8](#"{"action":"ping"}"#.utf8)) + frame(3) }, code: 1000,
        isCompressed: false),
      trace: .survived("the client closed properly")),
    .scenario(
      21, "a peer that never closes TCP", .deadlines, .counted("close_timeouts_total", event: "close-timeout")
    ) { victim throws in
      let client = try victim.client()
      try client.send(ClientFrame(3, []))
      var ending = client.next()
      while ending != .end && ending != .reset { ending = client.next() }
      // The gateway has ended its side; this side stays open until the gateway has had enough.
      victim.expectReset(client.socket)
    },
  ]

  private static let bomb = Bomb.deflated(zeros(64 << 20))
  private static let corrupt = "corrupt_deflate"

  private static func publication(_ payload: String) -> [UInt8] {
    [UInt8](#"{"action":"publish","channel":"behind","payload":\#(payload)}"#.utf8)
  }

  private static let behindLarge: HostileRow = .scenario(
    22, "messages behind one that takes several turns to decompress", .standard, .survived("they wait for it")
  ) { victim throws in
    let sender = try victim.client(headers: ["Sec-WebSocket-Extensions: permessage-deflate"])
    let reader = try victim.client()
    try reader.subscribe("behind")
    let text = "\"" + String(repeating: "l", count: 1_000_000) + "\""
    let large = Bomb.frame(Bomb.deflated(publication(text)))
    for round in 0..<3 {
      let bytes =
        large + Bomb.frame(Bomb.deflated(publication("1"))) + frame(ClientFrame.text, publication("2")) + large
      // The cut is behind the first message, or within what follows it.
      let cut = large.count + 20 * round
      try sender.socket.send(Array(bytes.prefix(cut)))
      try sender.socket.send(Array(bytes.dropFirst(cut)))
      for expected in [text, "1", "2", text] {
        let data = try rawData(of: reader.nextText())
        #expect(data == expected, "\(data?.prefix(100) ?? "nothing") came instead of \(expected.prefix(100))")
      }
    }
  }

  /// Line 22: compression.
  static let compression: [HostileRow] = [
    .frames(22, "a bomb of 64 MiB", Bomb.frame(bomb), 1009, tooBig, isCompressed: true),
    .frames(
      22, "a bomb in fragments",
      Bomb.frame(Array(bomb.prefix(1_000)), isFinal: false) + frame(0, Array(bomb.dropFirst(1_000))), 1009, tooBig,
      isCompressed: true),
    .frames(
      22, "one byte over the limit", Bomb.frame(Bomb.deflated(zeros(limit + 1))), 1009, tooBig, isCompressed: true),
    .frames(
      22, "corrupt deflate", Bomb.frame([0xFF, 0xFF, 0xFF, 0xFF, 0x12]), 1007, corrupt, isCompressed: true),
    .frames(22, "a reserved block type", Bomb.frame([0x07]), 1007, corrupt, isCompressed: true),
    .frames(
      22, "truncated deflate", Bomb.frame(Array(Bomb.deflated(Array("truncated, truncated?".utf8)).prefix(8))), 1007,
      corrupt, isCompressed: true),
    .frames(
      22, "a stored block with a wrong length", Bomb.frame([0x00, 0x05, 0x00, 0x05, 0x00, 0x41]), 1007, corrupt,
      isCompressed: true),
    .frames(
      22, "a distance before the beginning", Bomb.frame([0x4A, 0x04, 0x42, 0x00]), 1007, corrupt, isCompressed: true),
    .frames(
      22, "compressed text that is not UTF-8", Bomb.frame(Bomb.deflated([0xC0, 0xAF])), 1007, "invalid_text",
      isCompressed: true),
    behindLarge,
    .scenario(22, "100 bombs from as many clients", .standard, .closed(tooBig, times: 100)) { victim throws in
      let headers = ["Sec-WebSocket-Extensions: permessage-deflate"]
      let clients = try (0..<100).map { _ in try victim.client(headers: headers) }
      for client in clients { try? client.socket.send(Bomb.frame(bomb)) }
      for client in clients { victim.expectClose(client, 1009) }
    },
  ]
}
