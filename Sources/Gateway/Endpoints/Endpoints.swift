// The HTTP endpoints of all dialects: which requests they own and what they answer. One for the gateway, any thread.
import Auth
import Wire

/// The HTTP endpoints of a gateway (PROTOCOLS 1.1, 3.1, 4.1, 5.3, 5.4), each on the listeners where its dialect is
/// mounted (PROTOCOLS 6.3).
public struct Endpoints: Sendable {
  private let configuration: Configuration
  private let origins: OriginPolicy

  /// The endpoints of a gateway with these settings.
  public init(_ configuration: Configuration, origins: OriginPolicy) {
    self.configuration = configuration
    self.origins = origins
  }

  /// Whether an endpoint answers such a request, which is no WebSocket upgrade; its body is then read, up to
  /// `limits.bodyBytesMax`. `path` is undecoded and without the query; `ownsEverything` says that events is mounted on
  /// `*`. Allocates nothing that lasts.
  public func owns(method: HTTPMethod, path: String, dialects: [Dialect], ownsEverything: Bool) -> Bool {
    false
  }

  /// Answers a request that `owns` has taken. On the reactor's thread: does not wait.
  public func answer(_ request: EndpointRequest) -> EndpointOutcome {
    .now(HTTPAnswer(status: 404, contentType: "text/plain", body: Array("Not Found".utf8)))
  }
}
