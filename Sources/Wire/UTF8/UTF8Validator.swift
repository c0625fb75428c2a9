// Incremental UTF-8 validation: three bytes of state that live in a connection between frames; the reactor's thread
// uses it.

import Buffers

/// Checks that a text, delivered in any number of pieces, is UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing
/// above U+10FFFF), and refuses it as soon as no continuation could make it valid.
///
/// WebSocket text messages need this across fragments (RFC 6455 8.1, PROTOCOLS G3, HOSTILE 21). Not thread-safe; a
/// value.
public struct UTF8Validator: Sendable, BitwiseCopyable {
  /// Continuation bytes that the open sequence still lacks.
  private var missing: UInt8 = 0
  /// The inclusive range for the next continuation byte. The second byte of E0, ED, F0 and F4 is narrower than 80...BF,
  /// which is what makes refusal immediate. After a refusal the range is empty, so that everything that follows is
  /// refused too.
  private var lowest: UInt8 = 0x80
  private var highest: UInt8 = 0xBF

  /// A validator at the start of a text.
  public init() {}

  /// Whether no multi-byte sequence is open: at the end of a text, false means that it was cut off (or already
  /// refused).
  public var isComplete: Bool { missing == 0 }

  /// Checks the next piece of the text. False: the text is not UTF-8, and stays refused.
  public mutating func consume(_ bytes: Span<UInt8>) -> Bool {
    consume(bytes, 0..<bytes.count)
  }

  /// Checks the next piece of the text, which is `range` of `bytes`. A range outside the span traps.
  public mutating func consume(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
    precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count)
    var position = range.lowerBound
    let end = range.upperBound
    while missing > 0 {
      // An empty piece behind a refusal is refused like any other.
      guard position < end else { return lowest <= highest }
      guard take(bytes[position]) else { return false }
      position += 1
    }
    while true {
      position = Self.skipWholeScalars(bytes, position, end)
      if position == end { return true }
      // Either a faulty byte or a sequence that runs over the end of this piece: the slow path tells which.
      while position < end {
        guard take(bytes[position]) else { return false }
        position += 1
        if missing == 0 { break }
      }
    }
  }

  /// Whether `bytes` is a whole, valid UTF-8 text.
  public static func isValid(_ bytes: Span<UInt8>) -> Bool {
    isValid(bytes, 0..<bytes.count)
  }

  /// Whether `range` of `bytes` is a whole, valid UTF-8 text. A range outside the span traps.
  public static func isValid(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
    var validator = UTF8Validator()
    return validator.consume(bytes, range) && validator.isComplete
  }

  /// Advances by one byte; false refuses the text.
  private mutating func take(_ byte: UInt8) -> Bool {
    if missing > 0 {
      guard byte >= lowest && byte <= highest else { return refuse() }
      missing -= 1
      lowest = 0x80
      highest = 0xBF
      return true
    }
    switch byte {
    case 0x00...0x7F: return true
    case 0xC2...0xDF: missing = 1
    case 0xE0: open(2, 0xA0, 0xBF)
    case 0xE1...0xEC, 0xEE, 0xEF: missing = 2
    case 0xED: open(2, 0x80, 0x9F)
    case 0xF0: open(3, 0x90, 0xBF)
    case 0xF1...0xF3: missing = 3
    case 0xF4: open(3, 0x80, 0x8F)
    default: return refuse()
    }
    return true
  }

  private mutating func open(_ count: UInt8, _ low: UInt8, _ high: UInt8) {
    missing = count
    lowest = low
    highest = high
  }

  private mutating func refuse() -> Bool {
    open(1, 0xFF, 0x00)
    return false
  }

  /// The position of the first scalar that is faulty or not wholly before `end`; everything up to there is valid.
  private static func skipWholeScalars(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) -> Int {
    let highBits: UInt64 = 0x8080_8080_8080_8080
    var position = start
    while position < end {
      if bytes[position] < 0x80 {
        while position <= end - 32 {
          let low = bytes.word(at: position) | bytes.word(at: position + 8)
          let high = bytes.word(at: position + 16) | bytes.word(at: position + 24)
          if (low | high) & highBits != 0 { break }
          position += 32
        }
        while position <= end - 8 {
          let marks = bytes.word(at: position) & highBits
          position += marks == 0 ? 8 : marks.trailingZeroBitCount / 8
          if marks != 0 { break }
        }
        while position < end && bytes[position] < 0x80 { position += 1 }
        continue
      }
      let length = scalarLength(bytes, position, end)
      if length == 0 { return position }
      position += length
    }
    return position
  }

  /// The bytes of the multi-byte scalar at `position`, or 0 when it is faulty or not wholly before `end`.
  @inline(__always)
  private static func scalarLength(_ bytes: Span<UInt8>, _ position: Int, _ end: Int) -> Int {
    let lead = bytes[position]
    guard position + 1 < end else { return 0 }
    let second = bytes[position + 1]
    if lead < 0xE0 {
      return lead >= 0xC2 && second & 0xC0 == 0x80 ? 2 : 0
    }
    guard position + 2 < end, second & 0xC0 == 0x80, bytes[position + 2] & 0xC0 == 0x80 else { return 0 }
    if lead < 0xF0 {
      if lead == 0xE0 && second < 0xA0 || lead == 0xED && second > 0x9F { return 0 }
      return 3
    }
    guard position + 3 < end, lead <= 0xF4, bytes[position + 3] & 0xC0 == 0x80 else { return 0 }
    if lead == 0xF0 && second < 0x90 || lead == 0xF4 && second > 0x8F { return 0 }
    return 4
  }
}
