// Message texts with placeholders, and a prepared burst of masked frames in which only the changing places are rewritten. One thread.
import Buffers

/// A message text with `{channel}`, `{payload}`, `{seq}` and `{time}`; everything else stands for itself, other braces too.
public struct Template: Sendable {
  enum Field: UInt8 {
    case channel, payload, sequence, time
  }

  enum Piece: Equatable {
    case text(String)
    case field(Field)
  }

  let pieces: [Piece]

  private static let placeholders: [(name: String, field: Field)] = [
    ("{channel}", .channel), ("{payload}", .payload), ("{seq}", .sequence), ("{time}", .time),
  ]

  public init(_ source: String) {
    var pieces: [Piece] = []
    var literal = ""
    var rest = source[...]
    while let first = rest.first {
      if let found = Template.placeholders.first(where: { rest.hasPrefix($0.name) }) {
        if !literal.isEmpty { pieces.append(.text(literal)) }
        literal = ""
        pieces.append(.field(found.field))
        rest = rest.dropFirst(found.name.count)
      } else {
        literal.append(first)
        rest = rest.dropFirst()
      }
    }
    if !literal.isEmpty { pieces.append(.text(literal)) }
    self.pieces = pieces
  }

  public var isEmpty: Bool { pieces.isEmpty }

  /// Whether messages carry the mark by which deliveries are checked.
  public var hasPayload: Bool { pieces.contains(.field(.payload)) }

  /// A channel's name; all have the same length.
  public static func channelName(_ channel: Int) -> String { "bench-" + digits(UInt64(channel), width: 6) }

  static func digits(_ value: UInt64, width: Int) -> String {
    let text = String(value)
    return String(repeating: "0", count: max(0, width - text.count)) + text
  }

  /// Widths of `{seq}` and `{time}`: 10^9 + number and 10^18 + nanoseconds, so that they are JSON numbers of one length.
  static let sequenceWidth = 10
  static let timeWidth = 19

  /// The text for one message. `payload` is the number of bytes that `{payload}` becomes.
  public func expanded(channel: Int, payload: Int, marker: Marker) -> [UInt8] {
    rendered(channel, payload, marker).bytes
  }

  /// The text, and where its changing places are.
  func rendered(_ channel: Int, _ payload: Int, _ marker: Marker) -> (bytes: [UInt8], fields: [(Field, Int)]) {
    var bytes: [UInt8] = []
    var fields: [(Field, Int)] = []
    for piece in pieces {
      let field: Field
      switch piece {
      case .text(let text):
        bytes += Array(text.utf8)
        continue
      case .field(let placeholder): field = placeholder
      }
      fields.append((field, bytes.count))
      switch field {
      case .channel: bytes += Array(Template.channelName(channel).utf8)
      case .sequence: bytes += Array(String(1_000_000_000 + UInt64(marker.sequence)).utf8)
      case .time: bytes += Array(String(1_000_000_000_000_000_000 + marker.time).utf8)
      case .payload:
        let words = marker.words
        for word in [words.0, words.1, words.2, words.3] {
          for shift in stride(from: UInt64(0), to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: word >> shift)) }
        }
        // The filling has no run that compresses to nothing and no character that JSON escapes.
        for index in 0..<max(0, payload - Marker.length) { bytes.append(0x61 + UInt8(index * 7 % 26)) }
      }
    }
    return (bytes, fields)
  }
}

/// A run of equally long masked frames in one buffer, ready for one write; `stamp` makes each the message it is to be.
struct FrameBurst: ~Copyable {
  /// The frames.
  private(set) var buffer = ByteBuffer()
  /// Bytes of one frame.
  let stride: Int
  /// Bytes of one message.
  let messageLength: Int
  private let payloadStart: Int
  private let fields: [(Template.Field, Int)]

  /// `count` text frames of `template`.
  init(_ template: Template, count: Int, payload: Int) {
    let message = template.rendered(0, payload, Marker(sequence: 0, channel: 0, time: 0))
    fields = message.fields
    messageLength = message.bytes.count
    var start = 0
    for index in 0..<count {
      let at = FrameWriter.append(opcode: 1, message.bytes.span, to: &buffer)
      if index == 0 { start = at }
    }
    payloadStart = start
    stride = payloadStart + message.bytes.count
  }

  /// Rewrites the changing places of frame `index`.
  mutating func stamp(_ index: Int, _ marker: Marker) {
    let start = index * stride + payloadStart
    for (field, offset) in fields {
      switch field {
      case .payload:
        let words = marker.words
        put(letters: words.1, at: offset + 8, start)
        put(letters: words.2, at: offset + 16, start)
        put(letters: words.3, at: offset + 24, start)
      case .channel: put(digits: UInt64(marker.channel), width: 6, at: offset + 6, start)
      case .sequence:
        put(digits: 1_000_000_000 + UInt64(marker.sequence), width: Template.sequenceWidth, at: offset, start)
      case .time: put(digits: 1_000_000_000_000_000_000 + marker.time, width: Template.timeWidth, at: offset, start)
      }
    }
  }

  private mutating func put(letters word: UInt64, at offset: Int, _ start: Int) {
    var bytes = buffer.mutableBytes
    for index in 0..<8 {
      let letter = UInt8(truncatingIfNeeded: word >> UInt64(index * 8))
      bytes[start + offset + index] = letter ^ FrameWriter.maskByte(offset + index)
    }
  }

  private mutating func put(digits value: UInt64, width: Int, at offset: Int, _ start: Int) {
    var bytes = buffer.mutableBytes
    var rest = value
    for index in (0..<width).reversed() {
      let digit = 0x30 + UInt8(truncatingIfNeeded: rest % 10)
      bytes[start + offset + index] = digit ^ FrameWriter.maskByte(offset + index)
      rest /= 10
    }
  }
}
