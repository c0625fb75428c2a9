// A configured table of literal tokens and the users they stand for (PROTOCOLS 2.1, off by default). Immutable, any
// thread.
import Buffers

/// Why a table of static tokens was refused. Names users, never tokens.
public enum StaticTokensError: Error, Sendable, Equatable, CustomStringConvertible {
  /// More than `StaticTokens.entriesMax`.
  case tooMany
  /// An empty token or an empty user.
  case empty(user: String)
  /// The token of this user stands in the table twice.
  case duplicate(user: String)

  public var description: String {
    switch self {
    case .tooMany: "more than \(StaticTokens.entriesMax) tokens"
    case .empty: "a token or a user is empty"
    case .duplicate: "a token stands there twice"
    }
  }
}

/// Literal tokens, for sample clients and tests that cannot sign one.
///
/// Only keyed digests of the tokens are kept, and a look-up compares with all of them, so that its time tells nothing
/// about how close a guess was, nor how long the tokens are.
public struct StaticTokens: Sendable {
  /// Entries in the table. A look-up costs as much as the table is long; a larger user base wants signed tokens.
  public static let entriesMax = 256

  private struct Entry: Sendable {
    var digest: HMACSHA256.Tag
    var userId: [UInt8]
  }

  private let key: [UInt8]
  private var entries: [Entry] = []

  /// Builds the table; each token must be there once.
  public init(_ table: [(token: String, userId: String)]) throws(StaticTokensError) {
    guard table.count <= Self.entriesMax else { throw .tooMany }
    key = SecureRandom.bytes(32)
    for (token, userId) in table {
      guard !token.isEmpty, !userId.isEmpty else { throw .empty(user: userId) }
      let bytes = [UInt8](token.utf8)
      let digest = HMACSHA256.tag(of: bytes.span, key: key.span)
      for entry in entries {
        let known = entry.digest
        if constantTimeEquals(known.span, digest.span) { throw .duplicate(user: userId) }
      }
      entries.append(Entry(digest: digest, userId: [UInt8](userId.utf8)))
    }
  }

  /// Whether the table has no entry, as is the default.
  public var isEmpty: Bool { entries.isEmpty }

  /// Appends the user that `token` stands for to `out`. False, and nothing appended, for a token that is not listed or
  /// is longer than `JWTVerifier.tokenBytesMax`.
  public func userId(for token: Span<UInt8>, into out: inout ByteBuffer) -> Bool {
    guard !entries.isEmpty, token.count <= JWTVerifier.tokenBytesMax else { return false }
    let digest = HMACSHA256.tag(of: token, key: key.span)
    var found = -1
    for index in 0..<entries.count {
      let known = entries[index].digest
      if constantTimeEquals(known.span, digest.span) { found = index }
    }
    guard found >= 0 else { return false }
    let userId = entries[found].userId
    out.append(userId.span)
    return true
  }
}
