// Who a native client of the events dialect is: the token of a session, looked up before the 101. The reactor's thread.
import Buffers
import Dialects
import Wire

/// The token of an events client (PROTOCOLS 3.3).
enum EventsAuthenticator {
  /// Leaves the token of a request in `token`; false when there is none. The query comes before the header.
  static func token(_ head: HTTPRequestHead, _ bytes: Span<UInt8>, into token: inout ByteBuffer) -> Bool {
    token.removeAll()
    if let query = head.query, HTTPQuery.value(of: "token", in: bytes, query: query, into: &token) { return true }
    token.removeAll()
    guard let range = head.authorization else { return false }
    let value = bytes.extracting(range)
    // A token without the scheme is taken too.
    let hasScheme = value.count >= 7 && value.extracting(0..<7).equalsIgnoringCase("bearer ")
    token.append(value.extracting((hasScheme ? 7 : 0)..<value.count))
    return !token.isEmpty && !value.equalsIgnoringCase("bearer")
  }
}

extension EventsProduct {
  /// The texts that an operator chose.
  init(_ configuration: EventsConfiguration) {
    self.init()
    serverName = configuration.serverName
    apiName = configuration.productName
    version = configuration.version
    welcome = configuration.welcomeMessage
  }
}
