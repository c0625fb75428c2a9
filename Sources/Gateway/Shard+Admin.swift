// The admin listener: liveness, readiness, metrics, the description of the HTTP endpoints. Reactor 0 serves it between
// its other connections.
import Buffers
import Wire

extension Shard where Kernel: ~Copyable {
  /// Answers a request on the admin listener (DESIGN 7).
  mutating func answerAdmin(_ slot: UInt32, _ head: HTTPRequestHead, _ bytes: Span<UInt8>) {
    var response = HTTPResponse(.ok, contentType: "text/plain; charset=utf-8", keepsAlive: head.keepsAliveUnread)
    response.omitsBody = head.method == .head
    guard head.method == .get || head.method == .head else {
      response.status = .methodNotAllowed
      response.allow = "GET, HEAD"
      respond(slot, response, body: "Method Not Allowed\n")
      return
    }
    if HTTPPath.matches(bytes, head.path, "/livez") {
      respond(slot, response, body: "ok\n")
    } else if HTTPPath.matches(bytes, head.path, "/readyz") {
      if shared.isReady {
        respond(slot, response, body: "ready\n")
      } else {
        response.status = .serviceUnavailable
        respond(slot, response, body: shared.isStopping ? "stopping\n" : "starting\n")
      }
    } else if HTTPPath.matches(bytes, head.path, "/metrics") {
      publishMetrics()
      response.contentType = "text/plain; version=0.0.4; charset=utf-8"
      nameScratch.removeAll()
      MetricsPage(shared).append(to: &nameScratch)
      respondWithScratch(slot, response)
    } else if HTTPPath.matches(bytes, head.path, "/openapi.json") {
      response.contentType = "application/json"
      nameScratch.removeAll()
      nameScratch.append(OpenAPI.json(for: shared.configuration).span)
      respondWithScratch(slot, response)
    } else {
      response.status = .notFound
      respond(slot, response, body: "Not Found\n", path: LoggedPath.text(bytes.extracting(head.path)))
    }
  }
}
