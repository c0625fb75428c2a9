// What an operator reads: errors as sentences, paths in the log, the longest turn.
import Auth
import Backends
import EventLoop
import Glibc
import Testing
import Wire

@testable import Gateway

@Suite("Errors as sentences")
struct ErrorTextTests {
  private enum Foreign: Error { case noModel(Int) }

  @Test("no error of the gateway shows the source code of an enum")
  func sentences() {
    let courier: [CourierError] = [
      .queueFull, .cannotConnect("no such host"), .timedOut, .tooLarge, .interrupted("reset"), .cancelled,
      .status(429), .badResponse("not JSON"), .stopped,
    ]
    let errors: [any Error] =
      courier + JWTError.allCases + [HandlerError.timedOut, HandlerError.disconnected, HandlerError.rejected("no")]
      + [AttachmentError.tooMany, AttachmentError.placeholder, AttachmentError.notSocketIO]
      + [JSONError.syntax(at: 3), JSONError.depth, JSONError.duplicateMember, SocketIOFault.type, SocketIOFault.tooBig]
      + [StaticTokensError.tooMany, StaticTokensError.empty(user: "ann"), StaticTokensError.duplicate(user: "ann")]
      + [ConfigurationError(mistakes: [ConfigurationMistake("port", "is wrong")]), EventTooLong(), ListenerFailure()]
      + [GatewayError.reactor, GatewayError.thread(SystemError(call: "pthread_create", number: 11))]
      + [GatewayError.descriptors(3), GatewayError.backendsSecret, CancellationError()]
    for error in errors {
      let text = ErrorText.of(error)
      // Words, not a name in camel case with its values in parentheses.
      #expect(text.contains(" ") || text == "no", "\(text)")
      #expect(text.wholeMatch(of: /[a-z]+[A-Z]?\w*(\(.*\))?/) == nil || text == "no", "\(text)")
      #expect(!text.contains("(\""), "\(text)")
    }
    #expect(ErrorText.of(CourierError.status(429)) == "it answered with status 429")
    #expect(ErrorText.of(CourierError.interrupted("reset")) == "the answer broke off: reset")
    #expect(ErrorText.of(Foreign.noModel(1)) == "Foreign: noModel(1)")
  }

  @Test("a listener that cannot be opened says what to do, by its kind")
  func listeners() {
    func text(_ address: ListenerAddress, isAdmin: Bool = false, _ number: Int32) -> String {
      "\(GatewayError.listener(address, isAdmin: isAdmin, SystemError(call: "bind", number: number)))"
    }
    let web = ListenerAddress.tcp(host: "0.0.0.0", port: 80)
    let unix = ListenerAddress.unix(path: "/run/x.sock", mode: 0o660)
    #expect(
      text(web, EACCES)
        == "cannot listen on 0.0.0.0:80: permission denied: ports below 1024 need CAP_NET_BIND_SERVICE; "
        + "--port takes another port")
    #expect(
      text(.tcp(host: "127.0.0.1", port: 443), isAdmin: true, EACCES)
        == "cannot listen on 127.0.0.1:443 (admin listener): permission denied: ports below 1024 need "
        + "CAP_NET_BIND_SERVICE; --admin-port takes another port")
    #expect(text(.tcp(host: "::", port: 8080), EAFNOSUPPORT) == "cannot listen on [::]:8080: this machine has no IPv6")
    #expect(text(.tcp(host: "::", port: 8080), EMFILE) == "cannot listen on [::]:8080: bind: Too many open files")
    #expect(
      text(unix, EACCES)
        == "cannot listen on unix:/run/x.sock: permission denied: the user who runs this may not make, replace or reach "
        + "a socket there")
    #expect(text(unix, ENOTDIR) == "cannot listen on unix:/run/x.sock: a part of the path is no directory")
  }
}

@Suite("Paths in the log")
struct LoggedPathTests {
  @Test(
    "a path is cut where a query may begin, and at its limit",
    arguments: [
      ("/a/b", "/a/b"), ("/a%20b", "/a%20b"), ("/a%3Ftoken=x", "/a…"), ("/a%3ftoken", "/a…"), ("/a%253Ftoken", "/a…"),
      ("/a;token", "/a…"), ("/a&token", "/a…"), ("/token=x", "/token…"), ("/a%3Dx", "/a…"), ("/a%26x", "/a…"),
      ("/a%", "/a%"), ("/a%3", "/a%3"), ("", ""),
      (String(repeating: "é", count: 200), String(repeating: "é", count: 128) + "…"),
    ])
  func cut(_ path: String, _ expected: String) {
    #expect(LoggedPath.text(path) == expected)
  }
}

@Suite("The longest turn")
struct LagTests {
  @Test("the longest turn of the last minute is shown, and older ones are forgotten")
  func rolling() {
    var counters = Counters()
    counters.ageLag(nowMilliseconds: 1_000_000)
    counters.recordTurn(nanoseconds: 7_000)
    #expect(counters.lagMaxNanoseconds == 7_000)
    for second in 1...50 {
      counters.ageLag(nowMilliseconds: 1_000_000 + UInt64(second) * 1_000)
      counters.recordTurn(nanoseconds: UInt64(second))
      #expect(counters.lagMaxNanoseconds == 7_000, "after \(second) s")
    }
    for second in 51...60 {
      counters.ageLag(nowMilliseconds: 1_000_000 + UInt64(second) * 1_000)
      counters.recordTurn(nanoseconds: UInt64(second))
    }
    #expect(counters.lagMaxNanoseconds == 60)
    counters.ageLag(nowMilliseconds: 2_000_000)
    #expect(counters.lagMaxNanoseconds == 0)
    #expect(counters.lag[0] == 61, "the histogram is for all time")
  }
}
