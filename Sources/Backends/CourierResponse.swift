// An answer whose head has come and whose body comes as it is read. Any thread, one reader.

/// The answer to a `CourierRequest`.
public struct CourierResponse: Sendable {
  public let status: Int
  /// The `Content-Type` field's value, parameters included.
  public let contentType: String?
  /// The body. Letting go of it before its end ends the transfer.
  public let body: CourierBody
}

/// The bytes of an answer in pieces, as they arrive; a piece is never empty. For one reader, once.
///
/// What is not read stays with the back end: at most 64 KiB wait here. Iterating throws a `CourierError` when the
/// answer breaks off, after what came before.
public struct CourierBody: AsyncSequence, Sendable {
  public typealias Element = [UInt8]
  public typealias Failure = CourierError

  private let owner: BodyOwner

  init(_ exchange: Exchange, _ core: Core) { owner = BodyOwner(exchange, core) }

  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(owner: owner) }

  /// All of it at once, up to the courier's `responseBytesMax`.
  public func bytes() async throws(CourierError) -> [UInt8] {
    var all: [UInt8] = []
    while let piece = try await owner.next() { all += piece }
    return all
  }

  public struct AsyncIterator: AsyncIteratorProtocol {
    fileprivate let owner: BodyOwner

    public mutating func next() async throws(CourierError) -> [UInt8]? { try await owner.next() }

    public mutating func next(
      isolation actor: isolated (any Actor)?
    ) async throws(CourierError) -> [UInt8]? { try await owner.next() }
  }
}

/// Ends the transfer when nobody can read it any more.
private final class BodyOwner: Sendable {
  let exchange: Exchange
  let core: Core

  init(_ exchange: Exchange, _ core: Core) {
    self.exchange = exchange
    self.core = core
  }

  deinit { core.cancel(exchange) }

  func next() async throws(CourierError) -> [UInt8]? {
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { (reader: Exchange.Reader) in
        if exchange.read(reader) { core.resume(exchange) }
      }
    } onCancel: {
      core.cancel(exchange)
    }
    return try result.get()
  }
}
