// The 32 bytes that a session token or a signature is: what token tables are looked up by. A value, any thread.
import Auth
import Buffers

/// 32 bytes, written as 43 characters of base64url.
struct TokenKey: Hashable, Sendable, BitwiseCopyable {
  /// Characters of the text.
  static let textBytes = 43

  private let words: InlineArray<4, UInt64>

  /// The bytes that `text` spells, or nil when it is anything but 43 characters of strict base64url.
  init?(_ text: Span<UInt8>) {
    guard text.count == Self.textBytes else { return nil }
    var decoded = ByteBuffer(capacity: 34)
    guard Base64URL.decode(text, into: &decoded), decoded.count == 32 else { return nil }
    words = Self.words(decoded.bytes)
  }

  /// The signature of a signed token, whose last part it is; nil for anything that is not shaped like one. Two tokens
  /// that verify under one key and differ have different ones.
  init?(signatureOf token: Span<UInt8>) {
    guard token.count > Self.textBytes, token[token.count - Self.textBytes - 1] == 0x2E else { return nil }
    self.init(token.extracting(last: Self.textBytes))
  }

  /// Random bytes (PROTOCOLS G13).
  static func random() -> TokenKey {
    let bytes = SecureRandom.bytes(32)
    return TokenKey(words: words(bytes.span))
  }

  private init(words: InlineArray<4, UInt64>) { self.words = words }

  private static func words(_ bytes: Span<UInt8>) -> InlineArray<4, UInt64> {
    InlineArray<4, UInt64> { index in
      var word: UInt64 = 0
      for offset in 0..<8 { word = word << 8 | UInt64(bytes[index * 8 + offset]) }
      return word
    }
  }

  /// The text.
  var text: String {
    var bytes: [UInt8] = []
    for index in words.indices {
      for shift in stride(from: UInt64(56), through: 0, by: -8) {
        bytes.append(UInt8(truncatingIfNeeded: words[index] >> shift))
      }
    }
    var out = ByteBuffer(capacity: Self.textBytes)
    Base64URL.encode(bytes.span, into: &out)
    return out.bytes.string
  }

  static func == (left: TokenKey, right: TokenKey) -> Bool {
    // No early way out: how much of a guess was right does not show.
    var difference: UInt64 = 0
    for index in left.words.indices { difference |= left.words[index] ^ right.words[index] }
    return difference == 0
  }

  func hash(into hasher: inout Hasher) {
    for index in words.indices { hasher.combine(words[index]) }
  }
}

/// Keys in the order in which they were added, oldest first. All live equally long, so that is the order of their end.
struct TokenQueue: Sendable {
  private var keys: [TokenKey] = []
  private var head = 0

  /// How many there are.
  var count: Int { keys.count - head }

  /// The oldest.
  var first: TokenKey? { head < keys.count ? keys[head] : nil }

  /// Adds the newest.
  mutating func append(_ key: TokenKey) { keys.append(key) }

  /// Takes the oldest away.
  mutating func removeFirst() {
    head += 1
    if head * 2 > keys.count {
      keys.removeFirst(head)
      head = 0
    }
  }

  /// Keeps those that are still wanted.
  mutating func filter(_ isWanted: (TokenKey) -> Bool) {
    keys = keys[head...].filter(isWanted)
    head = 0
  }
}
