// Wall-clock time as the protocols write it, formatted once a millisecond. One for each reactor; its thread only.
import Buffers

/// The current time as ISO-8601 text in UTC with milliseconds (`2026-11-21T04:15:05.602Z`; PROTOCOLS, `now_iso`), kept
/// until the millisecond changes.
public struct TimestampClock: ~Copyable {
  /// Bytes of the text.
  public static var textCount: Int { 24 }

  private var text = ByteBuffer(capacity: 24)
  /// Milliseconds since 1970 that `text` stands for.
  public private(set) var milliseconds: Int64 = -1
  /// The day that the first eleven bytes stand for.
  private var day: Int64 = -1

  public init() { set(0) }

  /// The text.
  public var iso: Span<UInt8> {
    @_lifetime(borrow self)
    get { text.bytes }
  }

  /// Moves the clock; a time before 1970 counts as 1970, one after the year 9999 as its last millisecond.
  public mutating func set(_ milliseconds: Int64) {
    let time = min(max(milliseconds, 0), 253_402_300_799_999)
    if time == self.milliseconds { return }
    self.milliseconds = time
    let day = time / 86_400_000
    let ofDay = Int(time % 86_400_000)
    if day == self.day {
      text.truncate(to: 11)
    } else {
      self.day = day
      text.removeAll()
      appendDate(Int(day))
      text.append("T")
    }
    append(ofDay / 3_600_000, digits: 2)
    text.append(":")
    append(ofDay / 60_000 % 60, digits: 2)
    text.append(":")
    append(ofDay / 1000 % 60, digits: 2)
    text.append(".")
    append(ofDay % 1000, digits: 3)
    text.append("Z")
  }

  /// The civil date of a day number, counting years from March so that the leap day comes last.
  private mutating func appendDate(_ day: Int) {
    let shifted = day + 719_468
    let era = shifted / 146_097
    let ofEra = shifted % 146_097
    let yearOfEra = (ofEra - ofEra / 1460 + ofEra / 36_524 - ofEra / 146_096) / 365
    let ofYear = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * ofYear + 2) / 153
    let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    append(yearOfEra + era * 400 + (month <= 2 ? 1 : 0), digits: 4)
    text.append("-")
    append(month, digits: 2)
    text.append("-")
    append(ofYear - (153 * monthFromMarch + 2) / 5 + 1, digits: 2)
  }

  private mutating func append(_ value: Int, digits: Int) {
    var divisor = 1
    for _ in 1..<digits { divisor *= 10 }
    while divisor > 0 {
      text.append(UInt8(truncatingIfNeeded: 0x30 + value / divisor % 10))
      divisor /= 10
    }
  }
}
