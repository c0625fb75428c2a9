// The list of fuzz targets and what they share; used by the libFuzzer entry and by the replay tests, on one thread.

import Buffers

/// One parser with its oracle. The raw value names its corpus directory.
public enum FuzzTarget: String, CaseIterable, Sendable {
  case httpHead = "http-head"
  case httpBody = "http-body"
  case frames
  case utf8
  case jsonScan = "json-scan"
  case jsonFilter = "json-filter"
  case jwt
  case base64url
  case channelsSession = "channels-session"
  case eventsSession = "events-session"
  case engineIO = "engine-io"
  case socketIO = "socket-io"
  case handlersSession = "handlers-session"
  case sessionsSession = "sessions-session"
  case walkersSession = "walkers-session"
  case configJSON5 = "config-json5"
  case deflateNegotiation = "deflate-negotiation"
  case inflate
  case proxyHeader = "proxy-header"
  case addressText = "address-text"

  /// Checks everything that must hold for `bytes`, and throws what does not. With `isThorough` also against Foundation,
  /// which takes a hundred times as long.
  public func run(_ bytes: Span<UInt8>, isThorough: Bool) throws(FuzzFailure) {
    switch self {
    case .httpHead: try HTTPHeadFuzz.run(bytes)
    case .httpBody: try HTTPBodyFuzz.run(bytes)
    case .frames: try FramesFuzz.run(bytes)
    case .utf8: try UTF8Fuzz.run(bytes)
    case .jsonScan: try JSONScanFuzz.run(bytes, isThorough: isThorough)
    case .jsonFilter: try JSONFilterFuzz.run(bytes, isThorough: isThorough)
    case .jwt: try JWTFuzz.run(bytes)
    case .base64url: try Base64URLFuzz.run(bytes, isThorough: isThorough)
    case .walkersSession: try WalkersFuzz.run(bytes, isThorough: isThorough)
    case .channelsSession: try ChannelsFuzz.run(bytes, isThorough: isThorough)
    case .eventsSession: try EventsFuzz.run(bytes, isThorough: isThorough)
    case .engineIO: try EngineIOFuzz.run(bytes, isThorough: isThorough)
    case .socketIO: try SocketIOFuzz.run(bytes)
    case .handlersSession: try HandlersFuzz.run(bytes)
    case .sessionsSession: try SessionsFuzz.run(bytes)
    case .configJSON5: try ConfigurationFuzz.run(bytes, isThorough: isThorough)
    case .deflateNegotiation: try DeflateNegotiationFuzz.run(bytes)
    case .inflate: try InflateFuzz.run(bytes)
    case .proxyHeader: try ProxyHeaderFuzz.run(bytes)
    case .addressText: try AddressTextFuzz.run(bytes)
    }
  }
}

/// What did not hold.
public struct FuzzFailure: Error, CustomStringConvertible {
  public let description: String
}

/// Throws `why` unless `condition` holds.
func require(_ condition: Bool, _ why: @autoclosure () -> String) throws(FuzzFailure) {
  if !condition { throw FuzzFailure(description: why()) }
}

extension Span where Element == UInt8 {
  /// A number that depends on every byte, from which a target draws what the input does not say, such as where to split.
  public var fingerprint: UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for index in indices { hash = (hash ^ UInt64(self[index])) &* 0x100_0000_01B3 }
    return hash ^ hash >> 29
  }
}
