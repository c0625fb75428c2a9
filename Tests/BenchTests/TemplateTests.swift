// Templates, marks, and the prepared burst in which only the changing places are rewritten.
import Buffers
import TestSeeds
import Testing

@testable import BenchKit

@Suite struct TemplateTests {
  private func text(_ source: String, channel: Int = 7, payload: Int = 32) -> String {
    let marker = Marker(sequence: 42, channel: UInt16(channel), time: 1_000)
    let bytes = Template(source).expanded(channel: channel, payload: payload, marker: marker)
    return String(decoding: bytes, as: UTF8.self)
  }

  @Test(
    "placeholders become their values and all else stands for itself",
    arguments: [
      ("", ""),
      ("plain", "plain"),
      ("{}", "{}"),
      (#"{"channel":"{channel}"}"#, #"{"channel":"bench-000007"}"#),
      ("{channel}{channel}", "bench-000007bench-000007"),
      ("{seq} {time}", "1000000042 1000000000000001000"),
      ("{unknown}{channe", "{unknown}{channe"),
      ("{{seq}}", "{1000000042}"),
      ("ä{seq}ö", "ä1000000042ö"),
    ])
  func expansion(_ source: String, _ expected: String) {
    #expect(text(source) == expected)
  }

  @Test("a payload is as long as asked and needs no escaping in JSON", arguments: [32, 33, 64, 1000])
  func payload(_ length: Int) {
    let payload = text("{payload}", payload: length)
    #expect(payload.utf8.count == length)
    #expect(payload.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x5C })
  }

  @Test("a mark is read back as it was written, wherever it lies")
  func marks() {
    var random = SeededRandom("marks")
    var finder = MarkerFinder()
    for _ in 0..<2000 {
      let marker = Marker(
        sequence: .random(in: 0 ... .max, using: &random), channel: .random(in: 0 ... .max, using: &random),
        time: .random(in: 0...0xFFFF_FFFF_FFFF, using: &random))
      var buffer = ByteBuffer()
      let lead = Int.random(in: 0...40, using: &random)
      for _ in 0..<lead { buffer.append(UInt8.random(in: 0x20...0x7E, using: &random)) }
      buffer.append(Template("{payload}").expanded(channel: 0, payload: 40, marker: marker).span)
      #expect(finder.find(buffer, in: 0..<buffer.count) == marker)
      #expect(finder.find(buffer, in: 0..<lead + 31) == nil)
    }
  }

  @Test("a mark with letters out of range is none")
  func spoiltMark() {
    var bytes = Template("{payload}").expanded(
      channel: 0, payload: 32, marker: Marker(sequence: 1, channel: 2, time: 3))
    bytes[20] = 0x50
    var buffer = ByteBuffer()
    buffer.append(bytes.span)
    var finder = MarkerFinder()
    #expect(finder.find(buffer, in: 0..<32) == nil)
  }

  @Test("a stamped frame is the frame that the template gives", arguments: [32, 64, 200, 70_000])
  func stamping(_ payload: Int) {
    let template = Template(#"{"c":"{channel}","n":{seq},"t":{time},"p":"{payload}"}"#)
    var burst = FrameBurst(template, count: 3, payload: payload)
    var expected = ByteBuffer()
    for index in 0..<3 {
      let marker = Marker(sequence: UInt32(index * 77), channel: UInt16(index * 999), time: UInt64(index) << 40 + 5)
      burst.stamp(index, marker)
      let message = template.expanded(channel: Int(marker.channel), payload: payload, marker: marker)
      #expect(message.count == burst.messageLength)
      FrameWriter.append(opcode: 1, message.span, to: &expected)
    }
    #expect(burst.buffer.count == burst.stride * 3)
    let same = burst.buffer.bytes.equals(expected.bytes)
    #expect(same)
  }
}
