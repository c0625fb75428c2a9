// The name of a connection outside its reactor. A plain value, any thread.
import Buffers

/// Names one connection of one gateway for as long as the process lives. A connection that has gone is never confused
/// with a later one in its place.
public struct ConnectionID: Sendable, Hashable {
  /// The reactor that owns the connection.
  let reactor: Int
  let token: SlabToken

  /// Sixteen and more hexadecimal digits, unique among the connections of the process; for logs and back ends.
  public var text: String { String(UInt64(reactor), radix: 16) + "-" + String(token.rawValue, radix: 16) }
}
