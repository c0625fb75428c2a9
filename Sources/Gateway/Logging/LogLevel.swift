// What a log line can be: its level, its format, the values of its fields. Plain values.

/// How much a log line matters.
public enum LogLevel: UInt8, Sendable, Comparable, CaseIterable {
  /// For someone who looks for a fault.
  case debug
  /// What happens in normal operation.
  case info
  /// Refused or degraded; the gateway goes on.
  case warning
  /// Something does not work.
  case error

  /// The name in the configuration and in a line.
  public var name: String {
    switch self {
    case .debug: "debug"
    case .info: "info"
    case .warning: "warning"
    case .error: "error"
    }
  }

  /// Whether `one` matters less.
  public static func < (one: LogLevel, two: LogLevel) -> Bool { one.rawValue < two.rawValue }
}

/// How a log line is written.
public enum LogFormat: String, Sendable, CaseIterable {
  /// `2026-11-21T04:15:05.602Z info listening address=127.0.0.1:8080`
  case text
  /// One JSON object a line.
  case json
}

/// The value of a field. Never a token, a password or a payload.
public enum LogValue: Sendable, Equatable {
  case text(String)
  case integer(Int)
  case boolean(Bool)
}

extension LogValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral {
  /// A text.
  public init(stringLiteral value: String) { self = .text(value) }
  /// An integer.
  public init(integerLiteral value: Int) { self = .integer(value) }
  /// A flag.
  public init(booleanLiteral value: Bool) { self = .boolean(value) }
}
