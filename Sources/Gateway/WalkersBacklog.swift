// The walkers dialect: messages that wait for a walker of their connection to end, and the channel that a request asks
// for. The reactor's thread.
import Buffers
import Wire

/// The messages of one connection that came while one of its walkers runs, oldest first. Exists only while there are
/// any.
struct WalkersBacklog {
  private(set) var messages: [[UInt8]] = []
  private var byteCount = 0

  /// Adds a message; false when there are `countMax` already, or more than `bytesMax` bytes would wait.
  mutating func append(_ message: Span<UInt8>, countMax: Int, bytesMax: Int) -> Bool {
    if messages.count >= countMax || byteCount + message.count > bytesMax { return false }
    messages.append(message.array)
    byteCount += message.count
    return true
  }

  /// What is left behind the first `count` messages.
  func dropping(_ count: Int) -> WalkersBacklog {
    var rest = WalkersBacklog()
    rest.messages = Array(messages.dropFirst(count))
    rest.byteCount = rest.messages.reduce(0) { $0 + $1.count }
    return rest
  }
}

/// The query parameter of a walkers client.
enum WalkersChannel {
  /// Appends the decoded `channel_id` of a request to `out`; false, and nothing appended, when there is none or it is
  /// empty. The last one counts (PROTOCOLS G8).
  static func find(_ head: HTTPRequestHead, _ bytes: Span<UInt8>, into out: inout ByteBuffer) -> Bool {
    guard let query = head.query else { return false }
    var pairs = HTTPQueryIterator(query)
    var name = ByteBuffer(capacity: 16)
    var last: Range<Int>?
    while let pair = pairs.next(in: bytes) {
      // An escape is three bytes for one: a longer name is another one.
      if pair.name.count > 30 { continue }
      name.removeAll()
      PercentCoding.append(bytes.extracting(pair.name), plusIsSpace: true, to: &name)
      if name.bytes.equals("channel_id") { last = pair.value }
    }
    guard let last, !last.isEmpty else { return false }
    PercentCoding.append(bytes.extracting(last), plusIsSpace: true, to: &out)
    return true
  }
}
