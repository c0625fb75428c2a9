// `martlet-bench-app`: a gateway with the handlers that the benchmarks of broadcasts ask, and tokens for many users.
// Development mode on 127.0.0.1 only.
import Auth
import EventLoop
import FoundationEssentials
import Gateway
import Glibc

let usage = """
  usage: martlet-bench-app serve [KEY=VALUE...]       a gateway; settings as of `martlet serve --set`
         martlet-bench-app tokens DIALECT COUNT       tokens of so many users, one a line

  """

/// The room and the channel of the benchmarks; martlet-bench calls its first channel so.
let room = "bench-000000"

/// Ends the process with a complaint.
func fail(_ text: String, status: Int32 = 1) -> Never {
  let logger = Logger(format: .text, level: .info)
  logger.log(.error, "martlet-bench-app", [("error", .text(text))])
  logger.flush()
  exit(status)
}

/// The configuration of development mode with these settings, the secrets filled in.
func load(_ settings: [String]) -> Configuration {
  var sources = ConfigurationSources()
  sources.environment = ProcessInfo.processInfo.environment
  for text in ["development=true", "host=127.0.0.1", "port=0", "admin.port=0"] + settings {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2 else { fail("\(text): not KEY=VALUE", status: 2) }
    sources.flags.append((key: parts[0], text: parts[1], origin: parts[0]))
  }
  do {
    var configuration = try Configuration.load(sources)
    _ = try DevelopmentSecrets(environment: sources.environment).fill(&configuration)
    return configuration
  } catch {
    fail("\(error)")
  }
}

/// What is to be broadcast, until a batch of it is whole. One publisher at a time.
struct Batch {
  var size = 1
  var waiting: [[UInt8]] = []

  /// Adds one; the whole batch when it is the last.
  mutating func add(_ data: [UInt8]) -> [[UInt8]] {
    waiting.append(data)
    if waiting.count < size { return [] }
    defer { waiting = [] }
    return waiting
  }
}

/// What the publishers and subscribers of `martlet-bench fanout` ask for. The data of a broadcast goes out as it came,
/// a batch of them at once: one that is cut in two by the moment at which an event loop wakes costs twice the calls of
/// the kernel, and chance would be measured.
func benchmarkHandlers() -> Extensions {
  var extensions = Extensions()
  extensions.events["bench-join"] = { call in
    // A JSON string without escapes.
    call.join(room: String(decoding: call.context.dropFirst().dropLast(), as: UTF8.self))
    call.reply(event: "bench-joined", call.context)
  }
  let batch = Lock(Batch())
  extensions.events["bench-batch"] = { call in
    guard let size = Int(String(decoding: call.context, as: UTF8.self)), size > 0 else {
      throw HandlerError.rejected("the data is the size of a batch")
    }
    batch.withLock { $0 = Batch(size: size) }
    call.reply(event: "bench-batched", call.context)
  }
  extensions.events["bench-emit"] = { call in
    for data in batch.withLock({ $0.add(call.context) }) { call.outlet.emit(event: "bench", data: data, room: room) }
  }
  extensions.events["bench-broadcast"] = { call in
    for data in batch.withLock({ $0.add(call.context) }) { call.outlet.broadcast(channel: room, data: data) }
  }
  return extensions
}

/// One token as `martlet token` makes it, for user number `number`.
func token(_ dialect: Dialect, _ number: Int, _ secret: Secret, _ key: JWTKey, _ nowSeconds: Int64) -> String {
  let user = "bench-\(number)"
  let times = [("iat", JWTClaimValue.integer(nowSeconds)), ("exp", .integer(nowSeconds + 3600))]
  let claims: [(String, JWTClaimValue)] =
    switch dialect {
    case .handlers: [("username", .string(user))] + times
    case .sessions: [("sub", .string(user))] + times
    case .walkers: WalkerUser(name: user, secret: secret).standaloneClaims(expirationSeconds: nowSeconds + 3600)
    case .channels, .events, .echo: [("userId", .string(user))] + times
    }
  return JWTSigner.sign(claims: claims, key: key)
}

let words = Array(CommandLine.arguments.dropFirst())
switch words.first {
case "serve":
  exit(GatewayServer.run(load(Array(words.dropFirst())), extensions: benchmarkHandlers()))
case "tokens":
  guard words.count == 3, let dialect = Dialect(name: words[1]), let count = Int(words[2]),
    (1...1_000_000).contains(count)
  else { fail("tokens DIALECT COUNT", status: 2) }
  guard let secret = load([]).secret(of: dialect), let key = JWTKey(secret: secret.text) else {
    fail("the \(dialect.name) dialect signs no tokens", status: 2)
  }
  let now = Int64(Date().timeIntervalSince1970)
  for number in 0..<count { print(token(dialect, number, secret, key, now)) }
default:
  print(usage, terminator: "")
  exit(words.first == "--help" ? 0 : 2)
}
