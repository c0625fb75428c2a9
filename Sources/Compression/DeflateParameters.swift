// What two peers agree on for permessage-deflate, and what this server is willing to agree on. Plain values; any
// thread.

/// The agreed parameters of permessage-deflate (RFC 7692 7.1).
public struct DeflateParameters: Sendable, Equatable, BitwiseCopyable {
  /// The server starts every message with an empty window, so one compressed copy serves all connections of a set.
  public var serverNoContextTakeover: Bool
  /// The client starts every message with an empty window, so one inflater serves all connections.
  public var clientNoContextTakeover: Bool
  /// The largest window of what the server sends, as a power of two, 9...15.
  public var serverMaxWindowBits: UInt8
  /// The largest window of what the client sends, as a power of two, 9...15. An inflater with at least so many reads
  /// it.
  public var clientMaxWindowBits: UInt8
  /// Whether the response must name `server_max_window_bits`: the offer did (RFC 7692 7.1.2.1).
  public var namesServerMaxWindowBits: Bool
  /// Whether the response names `client_max_window_bits`: only after an offer that did (RFC 7692 7.1.2.2).
  public var namesClientMaxWindowBits: Bool

  /// Window bits outside 9...15 are clamped.
  public init(
    serverNoContextTakeover: Bool = true, clientNoContextTakeover: Bool = true, serverMaxWindowBits: UInt8 = 15,
    clientMaxWindowBits: UInt8 = 15, namesServerMaxWindowBits: Bool = false, namesClientMaxWindowBits: Bool = false
  ) {
    self.serverNoContextTakeover = serverNoContextTakeover
    self.clientNoContextTakeover = clientNoContextTakeover
    self.serverMaxWindowBits = DeflateParameters.clamped(serverMaxWindowBits)
    self.clientMaxWindowBits = DeflateParameters.clamped(clientMaxWindowBits)
    self.namesServerMaxWindowBits = namesServerMaxWindowBits
    self.namesClientMaxWindowBits = namesClientMaxWindowBits
  }

  /// How many values `index` has.
  public static let indexCount = 7

  /// 0...6 by the server's window. Connections with `serverNoContextTakeover` and the same index can be sent the same
  /// compressed bytes.
  public var index: Int { Int(DeflateParameters.clamped(serverMaxWindowBits) - CompressionLimits.windowBitsMin) }

  static func clamped(_ bits: UInt8) -> UInt8 {
    min(max(bits, CompressionLimits.windowBitsMin), CompressionLimits.windowBitsMax)
  }
}

/// What the server agrees to, and how hard it compresses. From the configuration; the same for all reactors.
///
/// Why the defaults: on JSON of 2 KiB, level 1 takes 29 µs for 39 % of the size and level 6 takes 41 µs for 37 %; at 16
/// KiB it is 165 µs against 305 µs. The reactor does nothing else meanwhile. A window over 4 KiB gains nothing on
/// messages up to that size (33.0 % against 33.1 % at 16 KiB), and the small hash table is quick to clear.
public struct DeflatePolicy: Sendable, Equatable {
  /// Whether a connection may keep its windows from message to message. Off: state is shared by a reactor's connections
  /// and a broadcast is compressed once. On: up to `Deflater.stateBytes` + `Inflater.stateBytes` for every connection.
  public var allowsContextTakeover: Bool
  /// Whether a client's window is kept even so, unless its offer gives it up: for clients that do not honour a
  /// `client_no_context_takeover` that they have not offered (RFC 7692 7.1.1.2 lets a server ask for it). Costs an
  /// `Inflater.stateBytes` for every connection; what the server sends is compressed as without.
  public var keepsClientContext: Bool
  /// The largest window that the server writes with, and that it keeps for a client with context takeover; 9...15.
  public var windowBitsMax: UInt8
  /// zlib's level, 1 (fast) ... 9 (small).
  public var level: UInt8
  /// zlib's memory level, 1...9: the hash table has 2^(memoryLevel + 7) entries, which are cleared before each message.
  public var memoryLevel: UInt8
  /// Bytes below which a message is better sent as it is: 140 bytes cost 8 µs for a sixth of their size, more than
  /// a `send` does. For the caller to look at; a deflater compresses what it is given.
  public var messageBytesMin: Int

  /// Values out of range are clamped.
  public init(
    allowsContextTakeover: Bool = false, windowBitsMax: UInt8 = 12, level: UInt8 = 1, memoryLevel: UInt8 = 5,
    messageBytesMin: Int = 256, keepsClientContext: Bool = false
  ) {
    self.allowsContextTakeover = allowsContextTakeover
    self.keepsClientContext = keepsClientContext
    self.windowBitsMax = DeflateParameters.clamped(windowBitsMax)
    self.level = min(max(level, 1), 9)
    self.memoryLevel = min(max(memoryLevel, 1), 9)
    self.messageBytesMin = max(messageBytesMin, 0)
  }
}
