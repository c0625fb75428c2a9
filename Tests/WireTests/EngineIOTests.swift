// Engine.IO protocol 4: packets, payloads of polling, the handshake's texts (PROTOCOLS 3.5).

import Buffers
import Foundation
import TestSeeds
import Testing

@testable import Wire

@Suite("Engine.IO")
struct EngineIOTests {
  static func written(_ write: (inout ByteBuffer) -> Void) -> String {
    var out = ByteBuffer()
    write(&out)
    return out.bytes.string
  }

  /// The packets of a payload as text, `malformed` at the end where it is.
  static func packets(_ payload: String) -> [String] {
    let bytes = Array(payload.utf8)
    var reader = EngineIOPayloadReader()
    var found: [String] = []
    while true {
      switch reader.next(bytes.span) {
      case .end: return found
      case .malformed: return found + ["malformed"]
      case .packet(let packet):
        let body = String(decoding: bytes[packet.body], as: UTF8.self)
        found.append("\(packet.kind)\(packet.isBase64 ? " base64" : "") \(body)")
      }
    }
  }

  @Test(
    "a packet is a digit and a body",
    arguments: [
      ("0{\"sid\":\"x\"}", "open {\"sid\":\"x\"}"), ("1", "close "), ("2", "ping "), ("2probe", "ping probe"),
      ("3probe", "pong probe"), ("40", "message 0"), ("42[\"é\"]", "message 2[\"é\"]"), ("4", "message "),
      ("5", "upgrade "), ("6", "noop "), ("bAQID", "message base64 AQID"), ("b", "message base64 "),
    ])
  func packet(text: String, expected: String) {
    #expect(Self.packets(text) == [expected])
  }

  @Test("no other first byte is a packet")
  func unknownType() {
    for byte in UInt8.min ... .max where !"0123456b".utf8.contains(byte) && byte != 0x1E {
      let bytes: [UInt8] = [byte, 0x61]
      let packet = EngineIOPacket.decode(bytes.span, 0..<2)
      #expect(packet == nil, "\(byte)")
    }
    let empty: [UInt8] = [0x34]
    let none = EngineIOPacket.decode(empty.span, 0..<0)
    #expect(none == nil)
    let beyond = EngineIOPacket.decode(empty.span, 0..<2)
    #expect(beyond == nil)
  }

  @Test(
    "a payload is packets with U+001E between them",
    arguments: [
      ("4a\u{1E}4b", ["message a", "message b"]), ("2\u{1E}bAA==\u{1E}6", ["ping ", "message base64 AA==", "noop "]),
      ("", ["malformed"]), ("\u{1E}", ["malformed"]), ("4a\u{1E}", ["message a", "malformed"]),
      ("\u{1E}4a", ["malformed"]), ("4a\u{1E}\u{1E}4b", ["message a", "malformed"]),
      ("4a\u{1E}7\u{1E}4b", ["message a", "malformed"]), ("4a\n4b", ["message a\n4b"]),
    ])
  func payload(text: String, expected: [String]) {
    #expect(Self.packets(text) == expected)
  }

  @Test("a written payload reads back, and is full after sixteen packets")
  func writer() {
    var out = ByteBuffer()
    var writer = EngineIOPayloadWriter()
    for number in 0..<20 {
      let body = Array("2[\"e\",\(number)]".utf8)
      let isTaken =
        switch number % 3 {
        case 0: writer.append(.message, body.span, to: &out)
        case 1: writer.append(binary: body.span, to: &out)
        default: writer.append(packet: Array("2".utf8).span, to: &out)
        }
      #expect(isTaken == (number < EngineIOPayloadWriter.packetsMax))
      #expect(writer.isFull == (number >= EngineIOPayloadWriter.packetsMax - 1))
    }
    #expect(writer.count == 16)
    let packets = Self.packets(out.bytes.string)
    #expect(packets.count == 16)
    #expect(packets[0] == "message 2[\"e\",0]" && packets[2] == "ping ")
    #expect(packets[1] == "message base64 " + Data("2[\"e\",1]".utf8).base64EncodedString())
  }

  @Test("the open packet tells the numbers, and the upgrade only to who polls")
  func open() {
    let sid = Array("lv_VI97HAXpY6yYWAAAC".utf8)
    let rest = #""pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#
    #expect(
      Self.written { EngineIOSettings().appendOpen(sid: sid.span, isUpgradable: true, to: &$0) }
        == #"0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"],"# + rest)
    #expect(
      Self.written { EngineIOSettings().appendOpen(sid: sid.span, isUpgradable: false, to: &$0) }
        == #"0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":[],"# + rest)
  }

  @Test(
    "refusals have a code and a sentence",
    arguments: [
      (EngineIORefusal.unknownTransport, #"{"code":0,"message":"Transport unknown"}"#),
      (.unknownSession, #"{"code":1,"message":"Session ID unknown"}"#),
      (.badHandshakeMethod, #"{"code":2,"message":"Bad handshake method"}"#),
      (.badRequest, #"{"code":3,"message":"Bad request"}"#), (.forbidden, #"{"code":4,"message":"Forbidden"}"#),
      (.unsupportedVersion, #"{"code":5,"message":"Unsupported protocol version"}"#),
    ])
  func refusals(refusal: EngineIORefusal, body: String) {
    #expect(Self.written { refusal.append(to: &$0) } == body)
  }

  // MARK: Base64

  @Test("base64 agrees with Foundation, with and without padding")
  func base64() {
    var random = SeededRandom("base64 text")
    for count in 0..<200 {
      let bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      let text = Data(bytes).base64EncodedString()
      #expect(Self.written { Base64Text.encode(bytes.span, to: &$0) } == text, "seed \(random.seed)")
      #expect(Base64Text.textCount(of: count) == text.utf8.count)
      #expect(Self.decoded(text) == bytes, "seed \(random.seed)")
      #expect(Self.decoded(text.replacingOccurrences(of: "=", with: "")) == bytes)
    }
  }

  static func decoded(_ text: String) -> [UInt8]? {
    let bytes = Array("xx".utf8) + Array(text.utf8) + Array("yy".utf8)
    var out = ByteBuffer()
    out.append(0x2A)
    let isDecoded = Base64Text.decode(bytes.span, 2..<bytes.count - 2, into: &out)
    let found = (0..<out.count).map { out.bytes[$0] }
    #expect(found.first == 0x2A && (isDecoded || found.count == 1))
    return isDecoded ? Array(found.dropFirst()) : nil
  }

  @Test(
    "what is no base64 is refused",
    arguments: [
      "A", "AAAAA", "=", "==", "A=", "A==", "A===", "AA=", "AAA==", "AAAA=", "AAAA==", "AAAA====", "AA==AA==", "AB==",
      "AAB=", "A-__", "AA A", "AAA\n", "AAAé", "AA\u{0}A",
    ])
  func notBase64(text: String) {
    #expect(Self.decoded(text) == nil)
  }
}
