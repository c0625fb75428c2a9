// The name spaces that keep the state of the dialects apart in one topic table. Constants.

/// Which dialect a topic belongs to, and what kind of topic it is there: equal names in different spaces are different
/// topics (PROTOCOLS 6.3).
public enum Space: UInt8, Sendable, BitwiseCopyable {
  /// Channels of the channels dialect.
  case channels = 1
  /// Topics of the sessions dialect, each within its session: `SessionTopic.append` makes the name.
  case sessions = 2
  /// Users of the walkers dialect, by root id.
  case walkerUsers = 3
  /// Channels of the walkers dialect, by channel id.
  case walkerChannels = 4
  /// Clients of the walkers dialect, by client id.
  case walkerClients = 5
  /// Rooms of the events dialect.
  case eventRooms = 6
}
