// Walks one Sec-WebSocket-Extensions value, forwards only. Used on the stack of one handshake; any thread.

/// A parameter's value, as far as permessage-deflate has use for it.
enum ExtensionValue: Equatable {
  case none
  /// A decimal number of one or two digits without leading zeros.
  case number(UInt8)
  /// Anything else that the grammar allows.
  case other
}

/// The tokens of RFC 6455 9.1, read from `bytes`. `position` only ever grows, so a line costs time linear in its
/// length.
struct ExtensionScanner: ~Escapable {
  private let bytes: Span<UInt8>
  private var position = 0
  /// Bytes looked at, so that a test can tell that a hostile line costs linear time.
  private(set) var steps = 0

  @_lifetime(copy bytes)
  init(_ bytes: Span<UInt8>) { self.bytes = bytes }

  var isAtEnd: Bool { position >= bytes.count }

  /// The byte at the position; 0, which is legal nowhere, at the end.
  private var current: UInt8 {
    @_lifetime(self: copy self)
    mutating get {
      steps += 1
      return position < bytes.count ? bytes[position] : 0
    }
  }

  /// Skips blanks; RFC 2616, which the grammar is based on, allows them between any two tokens.
  @_lifetime(self: copy self)
  mutating func skipBlanks() {
    while current == 0x20 || current == 0x09 { position += 1 }
  }

  /// Takes `byte` with the blanks before it; false, and only the blanks are gone, when another follows.
  @_lifetime(self: copy self)
  mutating func take(_ byte: UInt8) -> Bool {
    skipBlanks()
    guard current == byte else { return false }
    position += 1
    return true
  }

  /// The range of a token with the blanks before it; empty when there is none.
  @_lifetime(self: copy self)
  mutating func token() -> Range<Int> {
    skipBlanks()
    let start = position
    while ExtensionScanner.isTokenByte(current) { position += 1 }
    return start..<position
  }

  /// The value behind an equals sign: a token, or a quoted string that unescapes to one. Nil breaks the grammar.
  @_lifetime(self: copy self)
  mutating func value() -> ExtensionValue? {
    skipBlanks()
    return current == 0x22 ? quotedValue() : tokenValue()
  }

  @_lifetime(self: copy self)
  private mutating func tokenValue() -> ExtensionValue? {
    var number = NumberReader()
    while ExtensionScanner.isTokenByte(current) {
      number.append(bytes[position])
      position += 1
    }
    return number.value
  }

  /// Reads to the closing quote even when the value is bad, so that a comma inside it cannot pass for the offer's end.
  @_lifetime(self: copy self)
  private mutating func quotedValue() -> ExtensionValue? {
    var number = NumberReader()
    var isToken = true
    position += 1
    while !isAtEnd {
      if current == 0x22 {
        position += 1
        return isToken ? number.value : nil
      }
      if current == 0x5C { position += 1 }
      if ExtensionScanner.isTokenByte(current) {
        number.append(bytes[position])
      } else {
        isToken = false
      }
      position += 1
    }
    return nil
  }

  /// Whether, blanks skipped, a comma or the end follows.
  var isAtOfferEnd: Bool {
    @_lifetime(self: copy self)
    mutating get {
      skipBlanks()
      return isAtEnd || current == 0x2C
    }
  }

  /// Moves behind the comma that ends the current offer, or to the end. Commas in quoted strings do not count.
  @_lifetime(self: copy self)
  mutating func skipOffer() {
    var quoted = false
    while !isAtEnd {
      let byte = current
      position += 1
      switch byte {
      case 0x22: quoted.toggle()
      case 0x5C where quoted: position += 1
      case 0x2C where !quoted: return
      default: break
      }
    }
  }

  /// RFC 9110 5.6.2.
  private static func isTokenByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x5E...0x7A, 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2E, 0x7C, 0x7E: true
    default: false
    }
  }
}

/// Reads a small decimal number byte by byte, so that an escaped one needs no buffer.
private struct NumberReader {
  private var count = 0
  private var number: UInt8 = 0
  private var isNumber = true

  mutating func append(_ byte: UInt8) {
    // Two digits are enough, and a first zero is either alone, which is out of any range, or a leading one.
    if count == 2 || byte < 0x30 || byte > 0x39 || (count == 1 && number == 0) {
      isNumber = false
    } else {
      number = number &* 10 &+ (byte &- 0x30)
      count += 1
    }
  }

  /// Nil for no bytes at all: an empty value is not a token.
  var value: ExtensionValue? {
    if !isNumber { return .other }
    return count == 0 ? nil : .number(number)
  }
}
