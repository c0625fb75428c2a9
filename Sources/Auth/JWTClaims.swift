// The claims of one verified token, kept as its decoded bytes and a table of its members. Owned by the verifying
// thread.
import Buffers

/// The claims set of a token that `JWTVerifier` has accepted; empty before, and after a refusal.
///
/// Reuse one value for many tokens: its buffers keep their room. Not thread-safe.
public struct JWTClaims: ~Copyable {
  /// Members of a header or a claims set. Every registered claim and a user object together stay under 30; the limit
  /// keeps the search for duplicates, which is quadratic, short.
  public static let membersMax = 64

  /// One top-level member: its name in `names`, its value in `text` (strings without their quotes).
  private struct Member {
    var name: Range<Int>
    var value: Range<Int>
    var kind: ClaimKind
  }

  private var text = ByteBuffer()
  private var names = ByteBuffer()
  private var members: [Member] = []

  /// An empty claims set.
  public init() {}

  /// The decoded payload, strict JSON in UTF-8. Empty unless the last verification succeeded.
  public var payload: Span<UInt8> {
    @_lifetime(borrow self)
    get { text.bytes }
  }

  /// Where in `payload` the value of a member stands: JSON as sent, a string without its quotes. Nil when absent.
  public func range(of name: StaticString) -> Range<Int>? {
    guard let index = index(of: name) else { return nil }
    return members[index].value
  }

  /// Whether the claim is there, of whatever type.
  public func contains(_ name: StaticString) -> Bool { index(of: name) != nil }

  /// Appends a string claim, escapes resolved, to `out`. False, and nothing appended, when absent or not a string.
  public func string(_ name: StaticString, into out: inout ByteBuffer) -> Bool {
    guard let index = index(of: name), members[index].kind == .string else { return false }
    ClaimValues.appendText(text.bytes, in: members[index].value, to: &out)
    return true
  }

  /// A numeric claim rounded down to a whole number; nil when absent, not a number, or beyond `Int64`.
  public func number(_ name: StaticString) -> Int64? {
    guard let index = index(of: name), members[index].kind == .number else { return nil }
    return ClaimValues.floor(text.bytes, in: members[index].value)
  }

  /// A Boolean claim; nil when absent or of another type.
  public func boolean(_ name: StaticString) -> Bool? {
    guard let index = index(of: name), members[index].kind == .boolean else { return nil }
    return text.bytes[members[index].value.lowerBound] == 0x74
  }

  /// Appends the identity in `primary`, or in `fallback` when there is no such claim (PROTOCOLS 2.1: `userId`, else
  /// `sub`). False, and nothing appended, unless the claim that decides is a non-empty string: a `primary` of another
  /// type never falls through.
  public func identity(primary: StaticString, fallback: StaticString, into out: inout ByteBuffer) -> Bool {
    let before = out.count
    guard string(contains(primary) ? primary : fallback, into: &out) else { return false }
    return out.count > before
  }

  private func index(of name: StaticString) -> Int? {
    members.firstIndex { names.bytes.extracting($0.name).equals(name) }
  }

  /// Whether the claim is a string.
  func isString(_ name: StaticString) -> Bool {
    guard let index = index(of: name) else { return false }
    return members[index].kind == .string
  }

  /// Whether the claim is a string that holds exactly `expected`.
  func isString(_ name: StaticString, _ expected: StaticString, ignoringCase: Bool = false) -> Bool {
    guard let index = index(of: name), members[index].kind == .string else { return false }
    var value = ByteBuffer(capacity: 16)
    ClaimValues.appendText(text.bytes, in: members[index].value, to: &value)
    return ignoringCase ? value.bytes.equalsIgnoringCase(expected) : value.bytes.equals(expected)
  }

  /// Forgets everything; the buffers keep their room.
  mutating func removeAll() {
    text.removeAll()
    names.removeAll()
    members.removeAll(keepingCapacity: true)
  }

  /// Replaces the content by the base64url-encoded part `token[range]`. False when that is not strict base64url.
  mutating func load(_ token: Span<UInt8>, _ range: Range<Int>) -> Bool {
    removeAll()
    return Base64URL.decode(token, in: range, into: &text)
  }

  /// Reads the loaded bytes as one JSON object. False for anything else, and for two members of the same name, compared
  /// after their escapes are resolved (RFC 7519 section 4 lets a reader take the last; readers that differ are how
  /// forged claims get through).
  mutating func parse() -> Bool {
    Self.parse(text, names: &names, members: &members)
  }

  /// Static, because a span of one stored property would otherwise keep the others from being written.
  private static func parse(
    _ buffer: borrowing ByteBuffer, names: inout ByteBuffer, members: inout [Member]
  ) -> Bool {
    let text = buffer.bytes
    var scanner = ClaimsScanner(text)
    guard scanner.take(0x7B) else { return false }
    if scanner.take(0x7D) { return scanner.isAtEnd() }
    repeat {
      guard members.count < membersMax, let rawName = scanner.name() else { return false }
      let nameStart = names.count
      ClaimValues.appendText(text, in: rawName, to: &names)
      let name = nameStart..<names.count
      for other in members where names.bytes.extracting(other.name).equals(names.bytes.extracting(name)) {
        return false
      }
      scanner.skipSpace()
      let start = scanner.at
      guard let kind = scanner.value(depth: 1) else { return false }
      let value = kind == .string ? start + 1..<scanner.at - 1 : start..<scanner.at
      members.append(Member(name: name, value: value, kind: kind))
    } while scanner.take(0x2C)
    return scanner.take(0x7D) && scanner.isAtEnd()
  }
}
