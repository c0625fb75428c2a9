// The client's frame reader over streams cut anywhere.
import Buffers
import TestSeeds
import Testing

@testable import BenchKit

@Suite struct FrameReaderTests {
  private struct Sent {
    var kind: ServerFrame.Kind
    var payload: [UInt8]
  }

  /// A server's frames, and their bytes.
  private func stream(_ count: Int, _ random: inout SeededRandom) -> ([Sent], [UInt8]) {
    var frames: [Sent] = []
    var bytes: [UInt8] = []
    for _ in 0..<count {
      let isControl = Int.random(in: 0..<8, using: &random) == 0
      let most = isControl ? 125 : [0, 30, 125, 126, 200, 600, 3000, 70_000].randomElement(using: &random)!
      let payload = (0..<Int.random(in: 0...most, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random)
      }
      frames.append(Sent(kind: isControl ? .ping : .data, payload: payload))
      bytes.append(isControl ? 0x89 : 0x82)
      if payload.count < 126 {
        bytes.append(UInt8(payload.count))
      } else if payload.count < 65536 {
        bytes += [126, UInt8(payload.count >> 8), UInt8(payload.count & 255)]
      } else {
        bytes += [
          127, 0, 0, 0, 0, 0, UInt8(payload.count >> 16), UInt8(payload.count >> 8 & 255), UInt8(payload.count & 255),
        ]
      }
      bytes += payload
    }
    return (frames, bytes)
  }

  @Test("every frame is counted once, in order, however the stream is cut")
  func splits() {
    var random = SeededRandom("splits")
    for _ in 0..<60 {
      let (frames, bytes) = stream(Int.random(in: 1...60, using: &random), &random)
      let most = [1, 7, 600, 5000, 300_000].randomElement(using: &random)!
      var position = 0
      var kept: [UInt8] = []
      var skip = 0
      var counted = 0
      var started = false
      while position < bytes.count {
        let step = min(bytes.count - position, Int.random(in: 1...most, using: &random))
        let received = kept + bytes[position..<position + step]
        position += step
        var offset = 0
        while let frame = FrameReader.next(received.span, offset: &offset, skip: &skip) {
          #expect(frame.kind != .broken)
          if frame.kind == .rest {
            #expect(started)
          } else {
            #expect(!started)
            #expect(frame.kind == frames[counted].kind)
            #expect(frame.length == frames[counted].payload.count)
            #expect(Array(received[frame.payload]) == Array(frames[counted].payload.prefix(frame.payload.count)))
            #expect(frame.isWhole || frame.payload.count >= FrameReader.windowMax)
          }
          started = !frame.isWhole
          if frame.isWhole { counted += 1 }
        }
        kept = Array(received[offset...])
        #expect(kept.count <= FrameReader.windowMax + 10)
      }
      #expect(counted == frames.count)
      #expect(kept.isEmpty && skip == 0 && !started)
    }
  }

  @Test(
    "what a server may not send is reported as broken",
    arguments: [
      [0x81, 0x81, 1, 2, 3, 4, 5], [0x83, 0x00], [0x8B, 0x00], [0x89, 126, 0, 126] + [UInt8](repeating: 0, count: 126),
      [0x82, 127, 0xFF, 0, 0, 0, 0, 0, 0, 0], [0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0],
    ] as [[UInt8]])
  func broken(_ bytes: [UInt8]) {
    var offset = 0
    var skip = 0
    #expect(FrameReader.next(bytes.span, offset: &offset, skip: &skip)?.kind == .broken)
  }

  @Test("a written frame is masked and has the length form of its size", arguments: [0, 125, 126, 65535, 65536])
  func writing(_ length: Int) {
    let payload = (0..<length).map { UInt8(truncatingIfNeeded: $0 * 31) }
    var buffer = ByteBuffer()
    let start = FrameWriter.append(opcode: 2, payload.span, to: &buffer)
    let bytes = (0..<buffer.count).map { buffer.bytes[$0] }
    #expect(bytes[0] == 0x82)
    #expect(bytes[1] == 0x80 | (length < 126 ? UInt8(length) : length < 65536 ? 126 : 127))
    let key = Array(bytes[start - 4..<start])
    #expect(key != [0, 0, 0, 0])
    #expect(bytes[start...].enumerated().map { $1 ^ key[$0 & 3] } == payload)
  }
}
