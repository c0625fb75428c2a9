// The time as HTTP headers write it, formatted once a second. A value; each reactor has its own.

import Buffers

/// A time in the one format that HTTP senders use, `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 5.6.7): always 29 bytes,
/// kept inside the value, so that putting it into a response allocates nothing.
public struct HTTPDate: Sendable, BitwiseCopyable {
  private var text = [29 of UInt8](repeating: HTTPBytes.space)
  /// Seconds since 1970 that the text stands for.
  private var seconds: Int64 = -1

  /// The time at `milliseconds` since 1970. A time before 1970 counts as 1970, one after the year 9999 as its last
  /// second.
  public init(milliseconds: Int64 = 0) { set(milliseconds: milliseconds) }

  /// Moves it. Formats only when the second has changed.
  public mutating func set(milliseconds: Int64) {
    let seconds = min(max(milliseconds, 0), 253_402_300_799_999) / 1_000
    if seconds == self.seconds { return }
    self.seconds = seconds
    let day = Int(seconds / 86_400)
    let ofDay = Int(seconds % 86_400)
    let date = Self.civil(day)
    // 1970 began on a Thursday.
    put("ThuFriSatSunMonTueWed", (day % 7) * 3, at: 0)
    text[3] = HTTPBytes.comma
    put(date.day, digits: 2, at: 5)
    put("JanFebMarAprMayJunJulAugSepOctNovDec", (date.month - 1) * 3, at: 8)
    put(date.year, digits: 4, at: 12)
    put(ofDay / 3_600, digits: 2, at: 17)
    text[19] = HTTPBytes.colon
    put(ofDay / 60 % 60, digits: 2, at: 20)
    text[22] = HTTPBytes.colon
    put(ofDay % 60, digits: 2, at: 23)
    put("GMT", 0, at: 26)
  }

  /// Appends the text.
  public func append(to buffer: inout ByteBuffer) { buffer.append(text.span) }

  /// Three letters of a literal.
  private mutating func put(_ literal: StaticString, _ offset: Int, at position: Int) {
    for index in 0..<3 { text[position + index] = literal.utf8Byte(offset + index) }
  }

  private mutating func put(_ value: Int, digits: Int, at position: Int) {
    var rest = value
    for index in (0..<digits).reversed() {
      text[position + index] = UInt8(truncatingIfNeeded: 0x30 + rest % 10)
      rest /= 10
    }
  }

  /// The civil date of a day number, counting years from March so that the leap day comes last.
  private static func civil(_ day: Int) -> (year: Int, month: Int, day: Int) {
    let shifted = day + 719_468
    let era = shifted / 146_097
    let ofEra = shifted % 146_097
    let yearOfEra = (ofEra - ofEra / 1_460 + ofEra / 36_524 - ofEra / 146_096) / 365
    let ofYear = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * ofYear + 2) / 153
    let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, ofYear - (153 * monthFromMarch + 2) / 5 + 1)
  }
}
