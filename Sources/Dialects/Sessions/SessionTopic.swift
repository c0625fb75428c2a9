// The name under which a topic of the sessions dialect stands in the topic table. Pure, any thread.
import Buffers

/// Topics of the sessions dialect exist within a session: the same topic of two sessions is two (PROTOCOLS 4.3).
public enum SessionTopic {
  /// Appends the table's name for `topic` in `session`: the length of the session's name comes first, so that no choice
  /// of names makes two pairs equal.
  public static func append(session: Span<UInt8>, topic: Span<UInt8>, to out: inout ByteBuffer) {
    out.append(decimal: session.count)
    out.append(0x3A)
    out.append(session)
    out.append(topic)
  }
}
