// The name spaces that keep the state of the dialects apart in one topic table. Constants.

/// Which dialect a topic belongs to: equal names in different spaces are different topics (PROTOCOLS 6.3).
public enum Space: UInt8, Sendable, BitwiseCopyable {
  case channels = 1
}
