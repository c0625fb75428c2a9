// One HTTP/1.1 POST on the I/O thread: how a client gets its token. Any thread starts it and waits.
import Buffers
import EventLoop
import Wire

/// The answer to a request.
struct HTTPResult: Sendable {
  var status: Int
  var body: [UInt8]
}

/// A request on a connection of its own. It ends with its answer, a failure, or its time.
final class HTTPExchange: IODriver {
  /// Bytes of the longest answer that is read: a token and its times.
  static let bodyBytesMax = 65_536

  private struct State: ~Copyable {
    var socket = ClientSocket()
    var output: ByteBuffer
    var sent = 0
    var input = ByteBuffer()
    var addresses: [SocketAddress]?
    var result: Result<HTTPResult, ClientError>?
    var waiting: CheckedContinuation<HTTPResult, any Error>?

    init(output: consuming ByteBuffer) { self.output = output }

    /// Only the first result counts.
    mutating func finish(_ result: Result<HTTPResult, ClientError>) {
      guard self.result == nil else { return }
      self.result = result
      waiting?.resume(with: result.mapError { $0 })
      waiting = nil
    }
  }

  private let state: Lock<State>
  private let thread: IOThread
  private let deadline: UInt64

  private init(request: consuming ByteBuffer, timeoutMilliseconds: UInt64) throws(ClientError) {
    thread = try IOThread.shared.get()
    deadline = IOThread.now + timeoutMilliseconds
    state = Lock(State(output: request))
  }

  /// Posts JSON. Throws `tokenUnavailable` when no whole answer came, and `CancellationError`.
  static func post(_ url: ClientURL, json: [UInt8], timeoutMilliseconds: UInt64) async throws -> HTTPResult {
    var request = ByteBuffer(capacity: 512)
    request.append(string: "POST \(url.target) HTTP/1.1\r\nHost: \(url.authority)\r\nConnection: close\r\n")
    request.append(string: "Content-Type: application/json\r\nContent-Length: \(json.count)\r\n\r\n")
    request.append(json.span)
    let exchange = try HTTPExchange(request: request, timeoutMilliseconds: timeoutMilliseconds)
    return try await exchange.run(url.place)
  }

  private func run(_ place: ClientURL.Place) async throws -> HTTPResult {
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<HTTPResult, any Error>) in
        state.withLock { state in
          if Task.isCancelled { return continuation.resume(throwing: CancellationError()) }
          state.waiting = continuation
          state.addresses = Resolver.addresses(of: place)
          if state.addresses == nil && !Resolver.lookUp(place, { self.resolved($0) }) { state.addresses = [] }
        }
        thread.wake(self)
      }
    } onCancel: {
      state.withLock { state in
        state.waiting?.resume(throwing: CancellationError())
        state.waiting = nil
        state.finish(.failure(.tokenUnavailable("cancelled")))
      }
      thread.wake(self)
    }
  }

  private func resolved(_ addresses: [SocketAddress]) {
    state.withLock { $0.addresses = addresses }
    thread.wake(self)
  }

  func turn(
    _ reactor: borrowing Reactor, slot: UInt32, readiness: (generation: UInt32, Readiness)?, now: UInt64
  ) -> IOTurn {
    state.withLock { state in
      if now >= deadline { state.finish(.failure(.tokenUnavailable("no answer in time"))) }
      if let addresses = state.addresses, state.result == nil {
        state.addresses = nil
        check(state.socket.open(addresses, reactor, slot: slot), &state)
      }
      if let readiness, readiness.generation == state.socket.generation, state.socket.isConnecting {
        check(state.socket.proceed(reactor, slot: slot), &state)
      }
      if state.result == nil && state.socket.isOpen && !state.socket.isConnecting { pump(&state) }
      guard state.result != nil else { return IOTurn(deadline: deadline) }
      state.socket.close()
      return IOTurn(isDone: true)
    }
  }

  private func check(_ step: ClientSocket.Step, _ state: inout State) {
    if case .failed(let failure) = step { state.finish(.failure(.tokenUnavailable(failure))) }
  }

  private func pump(_ state: inout State) {
    while state.sent < state.output.count {
      guard
        case .moved(let count) = System.send(state.socket.fd, state.output.bytes.extracting(droppingFirst: state.sent))
      else { break }
      state.sent += count
    }
    while state.result == nil {
      state.input.reserve(4_096)
      switch System.receive(state.socket.fd, into: &state.input, atMost: 4_096) {
      case .moved: Self.read(&state, isEnd: false)
      case .wouldBlock: return
      case .end:
        Self.read(&state, isEnd: true)
        state.finish(.failure(.tokenUnavailable("the connection ended before the answer did")))
      case .failed(let number):
        state.finish(.failure(.tokenUnavailable(SystemError(call: "recv", number: number).description)))
      }
    }
  }

  /// Looks whether the answer is whole.
  private static func read(_ state: inout State, isEnd: Bool) {
    do throws(ResponseHead.Failure) {
      guard let (head, count) = try ResponseHead.parse(state.input.bytes) else { return }
      let body = try body(of: head, state.input.bytes.extracting(droppingFirst: count), isEnd: isEnd)
      if let body { state.finish(.success(HTTPResult(status: head.status, body: body))) }
    } catch { state.finish(.failure(.tokenUnavailable("the answer is not HTTP, or too long"))) }
  }

  /// The whole body; nil while it is not. RFC 9112 section 6.3.
  private static func body(of head: ResponseHead, _ bytes: Span<UInt8>, isEnd: Bool) throws(ResponseHead.Failure)
    -> [UInt8]?
  {
    if head.status == 204 || head.status == 304 { return [] }
    var decoder: HTTPBodyDecoder
    if head.lists("transfer-encoding", "chunked") {
      decoder = HTTPBodyDecoder(chunkedBytesMax: bodyBytesMax)
    } else if let text = head.value("content-length") {
      guard let length = Int(text), length >= 0 else { throw .malformed }
      decoder = HTTPBodyDecoder(contentLength: length, bytesMax: bodyBytesMax)
    } else {
      guard bytes.count <= bodyBytesMax else { throw .tooLong }
      return isEnd ? bytes.array : nil
    }
    var body: [UInt8] = []
    var position = 0
    while true {
      switch decoder.next(bytes, from: position) {
      case .needMore: return nil
      case .data(let range):
        body += bytes.extracting(range).array
        position = range.upperBound
      case .end: return body
      case .failure: throw .malformed
      }
    }
  }
}
