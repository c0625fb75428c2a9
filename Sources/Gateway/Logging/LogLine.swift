// How one log line is written, as text and as JSON. Pure functions of their arguments, for any thread.
import Buffers
import Wire

/// Turns an event into the bytes of one line.
///
/// Whatever a value holds, the line has one line feed, at its end: control characters, line separators and characters
/// that change the direction of text are escaped, and long values are cut, so that a client cannot forge or hide a
/// line.
enum LogLine {
  /// The line of an event, with its line feed.
  static func make(
    _ format: LogFormat, level: LogLevel, event: StaticString, fields: [(StaticString, LogValue)],
    milliseconds: Int64
  ) -> [UInt8] {
    var line = ""
    switch format {
    case .text:
      line += "\(timestamp(milliseconds)) \(level.name) \(event)"
      for (name, value) in fields { line += " \(name)=\(plain(value))" }
    case .json:
      line += "{\"time\":\"\(timestamp(milliseconds))\",\"level\":\"\(level.name)\",\"event\":"
      line += quoted(event.description)
      for (name, value) in fields { line += ",\(quoted(name.description)):\(json(value))" }
      line += "}"
    }
    line += "\n"
    return Array(line.utf8)
  }

  /// UTC, ISO 8601, milliseconds and `Z`.
  static func timestamp(_ milliseconds: Int64) -> String {
    var clock = TimestampClock()
    clock.set(milliseconds)
    return clock.iso.string
  }

  private static func plain(_ value: LogValue) -> String {
    switch value {
    case .integer(let number): return String(number)
    case .boolean(let flag): return flag ? "true" : "false"
    case .text(let text):
      let bare = text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x3D && $0 != 0x5C }
      return bare && !text.isEmpty && text.utf8.count <= Limits.logValueBytesMax ? text : quoted(text)
    }
  }

  private static func json(_ value: LogValue) -> String {
    switch value {
    case .integer(let number): String(number)
    case .boolean(let flag): flag ? "true" : "false"
    case .text(let text): quoted(text)
    }
  }

  /// A JSON string, cut at `Limits.logValueBytesMax`. Text lines quote the same way.
  static func quoted(_ text: String) -> String {
    var out = "\""
    var used = 0
    for scalar in text.unicodeScalars {
      used += UTF8.width(scalar)
      if used > Limits.logValueBytesMax {
        out += "…"
        break
      }
      switch scalar {
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      case "\n": out += "\\n"
      case "\r": out += "\\r"
      case "\t": out += "\\t"
      default:
        if mustEscape(scalar) {
          for unit in UTF16.encode(scalar)! {
            let digits = String(unit, radix: 16)
            out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
          }
        } else {
          out.unicodeScalars.append(scalar)
        }
      }
    }
    return out + "\""
  }

  /// Controls, line and paragraph separators, and the invisible characters that reorder what a terminal shows.
  private static func mustEscape(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned: true
    default: false
    }
  }
}
