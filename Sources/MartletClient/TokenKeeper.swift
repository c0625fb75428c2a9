// Gets a token from `POST /auth/token` (PROTOCOLS 4.1) and gets a new one before it expires. Any task.
import EventLoop
import FoundationEssentials

/// Keeps the token of one account.
actor TokenKeeper {
  /// A token is replaced this long before it expires, so that it does not expire between being taken out and being
  /// looked at; at most a tenth of its life, so that short-lived ones are used at all.
  static let marginMilliseconds: UInt64 = 60_000

  private struct Request: Encodable {
    var username: String
    var password: String
    var session: String

    enum CodingKeys: String, CodingKey {
      case username, password
      case session = "session_id"
    }
  }

  private struct Answer: Decodable {
    var token: String
    /// Seconds.
    var life: Double

    enum CodingKeys: String, CodingKey {
      case token
      case life = "expires_in"
    }
  }

  private let url: ClientURL
  private let request: Request
  private let timeoutMilliseconds: UInt64
  private(set) var token: String?
  /// When to replace it, on the monotonic clock.
  private var freshUntil: UInt64 = 0
  /// The request under way; whoever wants a token meanwhile waits for it too.
  private var underWay: Task<String, any Error>?

  init(url: ClientURL, username: String, password: String, session: String, timeoutMilliseconds: UInt64) {
    self.url = url
    request = Request(username: username, password: password, session: session)
    self.timeoutMilliseconds = timeoutMilliseconds
  }

  /// The kept token while it is fresh, else a new one. `isRefused`: the gateway did not take the kept one.
  func credential(isRefused: Bool) async throws -> Credential {
    if let token, !isRefused, IOThread.now < freshUntil { return Credential(token: token, isFresh: false) }
    token = nil
    return Credential(token: try await renew())
  }

  /// Gets a new token if the kept one is about to expire, or there is none; true when it did.
  func refreshIfNeeded() async throws -> Bool { try await credential(isRefused: false).isFresh }

  private func renew() async throws -> String {
    if let underWay { return try await underWay.value }
    let task = Task { try await fetch() }
    underWay = task
    defer { underWay = nil }
    return try await task.value
  }

  private func fetch() async throws -> String {
    let began = IOThread.now
    let body: Data
    do { body = try JSONEncoder().encode(request) } catch { throw ClientError.tokenUnavailable("\(error)") }
    let result = try await HTTPExchange.post(url, json: [UInt8](body), timeoutMilliseconds: timeoutMilliseconds)
    guard result.status == 200 else { throw ClientError.tokenRefused(status: result.status) }
    guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(result.body)), !answer.token.isEmpty else {
      throw ClientError.tokenUnavailable("the answer holds no token")
    }
    // A year is as good as any longer time, and keeps the sum in range; NaN and negative times become zero.
    let life = UInt64(max(0, min(answer.life, 31_536_000)) * 1_000)
    token = answer.token
    freshUntil = began + life - min(Self.marginMilliseconds, life / 10)
    return answer.token
  }
}
