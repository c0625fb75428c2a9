// The headers by which a browser lets a page of another origin read an answer. Pure functions, any thread.

/// CORS headers (PROTOCOLS 1.1, 4.1, G14).
enum CrossOrigin {
  /// Longest list of headers that a preflight may ask for: a page asks for a few.
  private static let requestHeadersBytesMax = 1_024
  /// Seconds for which a browser may remember a preflight.
  private static let maxAgeSeconds = 600

  /// What every answer of the handlers dialect carries (PROTOCOLS 1.1).
  static let handlers = [
    ("Access-Control-Allow-Origin", "*"), ("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE, OPTIONS"),
    ("Access-Control-Allow-Headers", "Content-Type, Authorization"),
  ]

  /// What every answer of the sessions dialect carries: any origin, without its cookies.
  static let anyone = [("Access-Control-Allow-Origin", "*"), ("Vary", "Origin")]

  /// What an answer to a request of an allowed origin carries; one without an origin is told that it could matter.
  static func allowing(_ origin: String?) -> [(String, String)] {
    guard let origin else { return [("Vary", "Origin")] }
    return [
      ("Access-Control-Allow-Origin", origin), ("Access-Control-Allow-Credentials", "true"), ("Vary", "Origin"),
    ]
  }

  /// What a preflight's answer carries besides.
  static func preflight(_ endpoint: Endpoint?, _ requestHeaders: String?) -> [(String, String)] {
    [
      ("Access-Control-Allow-Methods", endpoint?.allow ?? "GET, HEAD, POST, OPTIONS"),
      ("Access-Control-Allow-Headers", headers(requestHeaders)), ("Access-Control-Max-Age", String(maxAgeSeconds)),
      ("Allow", endpoint?.allow ?? "GET, HEAD, POST, OPTIONS"),
    ]
  }

  /// The headers that were asked for, where they are header names; else those that endpoints look at.
  private static func headers(_ asked: String?) -> String {
    guard let asked, !asked.isEmpty, asked.utf8.count <= requestHeadersBytesMax,
      asked.utf8.allSatisfy({ byte in
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x5F, 0x2C, 0x20: true
        default: false
        }
      })
    else { return "Content-Type, Authorization" }
    return asked
  }
}
