// The sessions dialect, receiving side: a text command in, an action out. No I/O, no state; any thread.
import Buffers
import Wire

/// What a client message of the sessions dialect asks for (PROTOCOLS 4.3). Ranges and values are slices of the message;
/// a topic or a session in a range is plain text.
public enum SessionsAction: Sendable, Equatable {
  case registerName(Range<Int>)
  case registerSession(Range<Int>)
  /// Subscribe in a session; nil: the connection's own.
  case subscribe(topic: Range<Int>, session: Range<Int>?)
  case unsubscribe(topic: Range<Int>, session: Range<Int>?)
  case publish(SessionsPublication)
  case ping
  /// Do nothing; the client is not told.
  case ignore(SessionsRefusal)
}

/// The members of a publish as they were sent: JSON strings, nil where one is missing or not a string.
public struct SessionsPublication: Sendable, Equatable, BitwiseCopyable {
  public var publisher: JSONValue?
  public var topic: JSONValue?
  public var payload: JSONValue?
  public var timestamp: JSONValue?
  public var session: JSONValue?
}

/// Why a message does nothing.
public enum SessionsRefusal: Sendable, Equatable {
  /// None of the commands, or a binary message.
  case unknownCommand
  /// What is to be published is not a JSON object.
  case invalidJSON
  /// A topic that is empty, or a topic, a session or a client's name over the limit or with control characters.
  case invalidName
  /// The connection has as many subscriptions as are allowed.
  case tooManySubscriptions
}

/// Reads the commands of the sessions dialect.
public enum SessionsSession {
  static let keys = JSONKeySet("publisher_name", "topic", "payload", "timestamp", "session_id")

  /// Bytes of the longest command's word, `register-session`: a colon further on belongs to no command.
  static var wordBytesMax: Int { 16 }

  /// Reads one text message. `bytes` must be valid UTF-8; what a binary frame holds is never a command.
  public static func receive(_ bytes: Span<UInt8>) -> SessionsAction {
    if bytes.equals("ping") { return .ping }
    var colon = 0
    let end = min(bytes.count, wordBytesMax + 1)
    while colon < end && bytes[colon] != UInt8(ascii: ":") { colon += 1 }
    if colon == end { return .ignore(.unknownCommand) }
    let word = bytes.extracting(0..<colon)
    let argument = trimmed(bytes, colon + 1..<bytes.count)
    switch colon {
    case 9 where word.equals("subscribe"):
      let (topic, session) = split(bytes, argument)
      return .subscribe(topic: topic, session: session)
    case 11 where word.equals("unsubscribe"):
      let (topic, session) = split(bytes, argument)
      return .unsubscribe(topic: topic, session: session)
    case 12 where word.equals("publish-json"): return publication(bytes, argument)
    case 13 where word.equals("register-name"): return .registerName(argument)
    case 16 where word.equals("register-session"): return .registerSession(argument)
    default: return .ignore(.unknownCommand)
    }
  }

  /// `range` without the ASCII white space at its ends.
  private static func trimmed(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Range<Int> {
    var start = range.lowerBound
    var end = range.upperBound
    while start < end && isSpace(bytes[start]) { start += 1 }
    while end > start && isSpace(bytes[end - 1]) { end -= 1 }
    return start..<end
  }

  /// Space, and tab to carriage return.
  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (byte >= 0x09 && byte <= 0x0D) }

  /// Takes `T|S` apart. What follows a second bar is not looked at.
  private static func split(_ bytes: Span<UInt8>, _ range: Range<Int>) -> (topic: Range<Int>, session: Range<Int>?) {
    let bar = Self.bar(bytes, range)
    if bar == range.upperBound { return (range, nil) }
    return (range.lowerBound..<bar, bar + 1..<Self.bar(bytes, bar + 1..<range.upperBound))
  }

  /// Where the first bar in `range` stands; its end when there is none.
  private static func bar(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int {
    var index = range.lowerBound
    while index < range.upperBound && bytes[index] != UInt8(ascii: "|") { index += 1 }
    return index
  }

  private static func publication(_ bytes: Span<UInt8>, _ argument: Range<Int>) -> SessionsAction {
    let object: JSONTopLevel
    do {
      object = try JSONScanner.scan(bytes.extracting(argument), keys: keys)
    } catch { return .ignore(.invalidJSON) }
    if object.kind != .object { return .ignore(.invalidJSON) }
    let offset = argument.lowerBound
    return .publish(
      SessionsPublication(
        publisher: string(object[0], offset), topic: string(object[1], offset), payload: string(object[2], offset),
        timestamp: string(object[3], offset), session: string(object[4], offset)))
  }

  /// A member that is a string, as a slice of the whole message.
  private static func string(_ member: JSONValue?, _ offset: Int) -> JSONValue? {
    guard let member, member.kind == .string else { return nil }
    return JSONValue(kind: .string, start: member.start + offset, end: member.end + offset)
  }
}
