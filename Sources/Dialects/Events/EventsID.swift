// Identifiers of the events dialect: sockets and chat messages. No I/O, no state; any thread.
import Buffers

/// Writes identifiers of the form `PREFIX-MILLISECONDS-xxxxxxxxx`, nine digits in base 36 (PROTOCOLS 3.3, 3.6).
public enum EventsID {
  /// 36^9, how many different endings there are.
  static let endings: UInt64 = 101_559_956_668_416

  /// Appends an identifier. `random` must come from a generator that cannot be guessed (PROTOCOLS G13).
  public static func append(
    _ prefix: StaticString, milliseconds: Int64, random: UInt64, to out: inout ByteBuffer
  ) {
    out.append(prefix)
    out.append("-")
    out.append(decimal: Int(milliseconds))
    out.append("-")
    var rest = random % endings
    var scale = endings / 36
    for _ in 0..<9 {
      let digit = UInt8(truncatingIfNeeded: rest / scale)
      out.append(digit < 10 ? 0x30 + digit : 0x57 + digit)
      rest %= scale
      scale /= 36
    }
  }
}
