// The simulated clients' own WebSocket and JSON, written apart from Sources/Wire so as not to share its mistakes.

/// Frames as a client writes them, and reads them from a server.
enum ClientWire {
  struct Frame {
    let opcode: UInt8
    var payload: [UInt8]
    var isCompressed = false
  }

  enum Reading {
    case frame(Frame, length: Int)
    case incomplete
    case wrong(String)
  }

  /// A masked frame.
  static func frame(
    _ opcode: UInt8, _ payload: ArraySlice<UInt8>, isFinal: Bool = true, isCompressed: Bool = false, mask: UInt32
  ) -> [UInt8] {
    var out: [UInt8] = [(isFinal ? 0x80 : 0) | (isCompressed ? 0x40 : 0) | opcode]
    let count = payload.count
    if count < 126 {
      out.append(0x80 | UInt8(count))
    } else if count < 65_536 {
      out += [0x80 | 126, UInt8(count >> 8), UInt8(count & 255)]
    } else {
      out.append(0x80 | 127)
      for shift in stride(from: 56, through: 0, by: -8) { out.append(UInt8(count >> shift & 255)) }
    }
    let key = [UInt8(mask >> 24), UInt8(mask >> 16 & 255), UInt8(mask >> 8 & 255), UInt8(mask & 255)]
    out += key
    if mask == 0 {
      out += payload
    } else {
      var index = 0
      for byte in payload {
        out.append(byte ^ key[index & 3])
        index += 1
      }
    }
    return out
  }

  /// Reads a server's frame at `start`: unmasked, whole messages only, lengths in their shortest form.
  static func read(_ bytes: [UInt8], at start: Int, _ deflate: ClientDeflate? = nil) -> Reading {
    let available = bytes.count - start
    if available < 2 { return .incomplete }
    let first = bytes[start]
    let opcode = first & 15
    let isCompressed = first & 0x40 != 0
    if first & 0x30 != 0 || (isCompressed && (deflate == nil || opcode >= 8)) { return .wrong("reserved bits") }
    if first & 0x80 == 0 { return .wrong("a fragment") }
    if ![1, 8, 9, 10].contains(opcode) { return .wrong("opcode \(opcode)") }
    if bytes[start + 1] & 0x80 != 0 { return .wrong("a masked frame") }
    var length = Int(bytes[start + 1])
    var header = 2
    if length >= 126 {
      let width = length == 126 ? 2 : 8
      if available < 2 + width { return .incomplete }
      header += width
      length = 0
      for index in 0..<width {
        if length > 1 << 40 { return .wrong("a length beyond reason") }
        length = length << 8 | Int(bytes[start + 2 + index])
      }
      if length < (width == 2 ? 126 : 65_536) { return .wrong("a length not in its shortest form") }
    }
    if opcode >= 8 && length > 125 { return .wrong("a long control frame") }
    if available < header + length { return .incomplete }
    var payload = Array(bytes[(start + header)..<(start + header + length)])
    if isCompressed {
      guard let message = deflate?.decompress(payload) else { return .wrong("what does not decompress") }
      payload = message
    }
    return .frame(Frame(opcode: opcode, payload: payload, isCompressed: isCompressed), length: header + length)
  }
}

/// A strict reader of JSON objects: checks the whole text and gives the members as raw slices.
struct ClientJSON {
  private let bytes: [UInt8]
  private var position = 0

  /// The members of an object with their raw values, in order; nil when the text is no valid JSON object.
  static func members(_ bytes: [UInt8]) -> [(key: String, value: [UInt8])]? {
    var reader = ClientJSON(bytes: bytes)
    guard let members = reader.object(), reader.position == bytes.count else { return nil }
    return members
  }

  /// The elements of an array; nil when the text is no valid JSON array.
  static func elements(_ bytes: [UInt8]) -> [[UInt8]]? {
    var reader = ClientJSON(bytes: bytes)
    guard let elements = reader.array(), reader.position == bytes.count else { return nil }
    return elements
  }

  private init(bytes: [UInt8]) { self.bytes = bytes }

  private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skip(_ byte: UInt8) -> Bool {
    if next != byte { return false }
    position += 1
    return true
  }

  private mutating func object() -> [(key: String, value: [UInt8])]? {
    var members: [(key: String, value: [UInt8])] = []
    if !skip(0x7B) { return nil }
    if skip(0x7D) { return members }
    repeat {
      guard let key = value(), key.first == 0x22, skip(0x3A), let value = value() else { return nil }
      members.append((String(decoding: key.dropFirst().dropLast(), as: UTF8.self), value))
    } while skip(0x2C)
    return skip(0x7D) ? members : nil
  }

  private mutating func array() -> [[UInt8]]? {
    var elements: [[UInt8]] = []
    if !skip(0x5B) { return nil }
    if skip(0x5D) { return elements }
    repeat {
      guard let value = value() else { return nil }
      elements.append(value)
    } while skip(0x2C)
    return skip(0x5D) ? elements : nil
  }

  private mutating func value() -> [UInt8]? {
    let start = position
    switch next {
    case 0x7B: if object() == nil { return nil }
    case 0x5B: if array() == nil { return nil }
    case 0x22: if !string() { return nil }
    default:
      while let byte = next, byte != 0x2C, byte != 0x5D, byte != 0x7D { position += 1 }
      let word = String(decoding: bytes[start..<position], as: UTF8.self)
      if !["true", "false", "null"].contains(word) && Double(word) == nil { return nil }
    }
    return Array(bytes[start..<position])
  }

  private mutating func string() -> Bool {
    position += 1
    while let byte = next {
      position += 1
      switch byte {
      case 0x22: return true
      case 0..<0x20: return false
      case 0x5C:
        guard let escaped = next else { return false }
        position += escaped == 0x75 ? 5 : 1
      default: break
      }
    }
    return false
  }
}
