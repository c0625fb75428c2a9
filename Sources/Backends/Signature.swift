// Signs what goes to a back end, so that it can tell the gateway from anybody else. Any thread.
import Auth
import Buffers

/// The `X-Martlet-Signature` header field: `t=<unix seconds>,v1=<HMAC-SHA256 over "<t>.<body>" in hex>`.
public enum Signature {
  /// The field's name.
  public static let headerName = "X-Martlet-Signature"
  /// Seconds that sender's and receiver's clocks may be apart, and that a recorded request stays valid.
  public static let toleranceSeconds: Int64 = 300

  /// The field's value for `body`, signed with `key` at `seconds` since 1970.
  public static func value(for body: [UInt8], key: [UInt8], seconds: Int64) -> String {
    "t=\(seconds),v1=" + String(decoding: tag(body, key, seconds), as: UTF8.self)
  }

  /// Whether `value` signs `body` with `key`, and is not older or newer than the tolerance. Compares in constant time.
  public static func verifies(_ value: String, body: [UInt8], key: [UInt8], now: Int64) -> Bool {
    var seconds: Int64?
    var found: [UInt8]?
    for part in value.split(separator: ",") {
      if part.hasPrefix("t=") { seconds = Int64(part.dropFirst(2)) }
      if part.hasPrefix("v1=") { found = Array(part.dropFirst(3).utf8) }
    }
    guard let seconds, let found else { return false }
    let (age, isOverflow) = now.subtractingReportingOverflow(seconds)
    guard !isOverflow, age.magnitude <= toleranceSeconds.magnitude else { return false }
    let right = tag(body, key, seconds)
    return constantTimeEquals(found.span, right.span)
  }

  private static func tag(_ body: [UInt8], _ key: [UInt8], _ seconds: Int64) -> [UInt8] {
    let message = Array("\(seconds).".utf8) + body
    let tag = HMACSHA256.tag(of: message.span, key: key.span)
    let digits = Array("0123456789abcdef".utf8)
    var hex: [UInt8] = []
    for index in 0..<32 {
      hex.append(digits[Int(tag[index] >> 4)])
      hex.append(digits[Int(tag[index] & 15)])
    }
    return hex
  }
}
