// The request methods that the gateway tells apart; a value without storage, usable from any thread.

import Buffers

/// A request method (RFC 9110 9). Methods are case-sensitive; every other valid token is `other`.
public enum HTTPMethod: UInt8, Sendable, BitwiseCopyable {
  case get, head, post, put, delete, options, patch, connect, trace, other

  /// The method spelled by `token`, which must be a whole method token.
  init(token: Span<UInt8>) {
    if token.equals("GET") {
      self = .get
    } else if token.equals("POST") {
      self = .post
    } else if token.equals("OPTIONS") {
      self = .options
    } else if token.equals("HEAD") {
      self = .head
    } else if token.equals("PUT") {
      self = .put
    } else if token.equals("DELETE") {
      self = .delete
    } else if token.equals("PATCH") {
      self = .patch
    } else if token.equals("CONNECT") {
      self = .connect
    } else if token.equals("TRACE") {
      self = .trace
    } else {
      self = .other
    }
  }
}
