// The response writer, byte for byte.

import Buffers
import Testing
import Wire

@Suite("HTTP responses")
struct HTTPResponseTests {
  @Test("a response has an exact Content-Length, a type and a Connection line")
  func plain() {
    let response = HTTPResponse(.notFound, contentType: "text/plain")
    #expect(
      HTTPTest.written { response.append(body: "Not Found", to: &$0) }
        == "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n"
        + "Connection: close\r\n\r\nNot Found"
    )
    let kept = HTTPResponse(.ok, contentType: "application/json", keepsAlive: true)
    let body = Array("{\"é\":1}".utf8)
    #expect(
      HTTPTest.written { kept.append(body: body.span, to: &$0) }
        == "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\n"
        + "Connection: keep-alive\r\n\r\n{\"é\":1}"
    )
  }

  @Test("HEAD has the head of GET and no body; 204 has neither length nor body")
  func withoutBody() {
    var response = HTTPResponse(.ok, contentType: "text/plain")
    response.omitsBody = true
    #expect(
      HTTPTest.written { response.append(body: "abc", to: &$0) }
        == "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\n")
    #expect(
      HTTPTest.written { HTTPResponse(.noContent, keepsAlive: true).append(body: "abc", to: &$0) }
        == "HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\n\r\n")
  }

  @Test("405 names the methods, 503 and 429 the seconds, and extra lines follow")
  func extraLines() {
    var response = HTTPResponse(.methodNotAllowed)
    response.allow = "GET, OPTIONS"
    response.headerLines = "X: a\r\nY: b\r\n"
    #expect(
      HTTPTest.written { response.append(to: &$0) }
        == "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\nConnection: close\r\nAllow: GET, OPTIONS\r\n"
        + "X: a\r\nY: b\r\n\r\n")
    response = HTTPResponse(.serviceUnavailable)
    response.retryAfterSeconds = 5
    #expect(
      HTTPTest.written { response.append(to: &$0) }
        == "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\nRetry-After: 5\r\n\r\n")
  }

  @Test("426 says what to upgrade to")
  func upgradeRequired() {
    let lines =
      "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    #expect(
      HTTPTest.written { HTTPResponse(.upgradeRequired).append(to: &$0) }
        == lines + "Connection: Upgrade, close\r\n\r\n")
    #expect(
      HTTPTest.written { HTTPResponse(.upgradeRequired, keepsAlive: true).append(to: &$0) }
        == lines + "Connection: Upgrade\r\n\r\n")
  }

  @Test("a header made at run time cannot split the response")
  func dynamicHeader() {
    let good = Array("https://a".utf8)
    let bad = Array("https://a\r\nX: b".utf8)
    let text = HTTPTest.written { buffer in
      HTTPResponse(.ok).appendHeadLines(bodyCount: 2, to: &buffer)
      #expect(HTTPResponse.appendHeader("Access-Control-Allow-Origin", good.span, to: &buffer))
      #expect(!HTTPResponse.appendHeader("Vary", bad.span, to: &buffer))
      buffer.append("\r\nok")
    }
    #expect(
      text
        == "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n"
        + "Access-Control-Allow-Origin: https://a\r\n\r\nok"
    )
  }

  @Test("the interim response has no header")
  func interim() {
    #expect(HTTPTest.written { HTTPResponse.appendContinue(to: &$0) } == "HTTP/1.1 100 Continue\r\n\r\n")
  }
}
