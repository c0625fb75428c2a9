// One subscription of a client, as its user holds it. Any thread.

/// A subscription that was made with a handler. It lasts until `cancel`, or as long as its client; nothing has to keep
/// this value for that.
public struct Subscription: Sendable {
  /// The channel or topic.
  public let topic: String
  let end: @Sendable () -> Void

  /// Ends it. What was received and not yet handled is dropped. A second call does nothing.
  public func cancel() { end() }
}

/// Ends the subscription of a stream when the stream is released.
final class StreamLease: Sendable {
  private let end: @Sendable () -> Void

  init(_ end: @escaping @Sendable () -> Void) { self.end = end }

  deinit { end() }
}

extension ClientCore {
  /// Subscribes and calls `handler` with each message, one after the other, on a task of its own.
  func subscribe(
    _ topic: String, filters: [UInt8]?, named name: String,
    _ handler: @escaping @Sendable (Dialect.Message) async -> Void
  ) async throws -> Subscription {
    let (id, inbox) = try await subscribe(topic, filters: filters)
    Task {
      while let message = await inbox.next() { await handler(message) }
    }
    return Subscription(topic: name) { [weak self] in self?.unsubscribe(id) }
  }

  /// Subscribes and gives the messages as a stream, whose release or cancellation unsubscribes.
  func messages(_ topic: String, filters: [UInt8]?) async throws -> AsyncStream<Dialect.Message> {
    let (id, inbox) = try await subscribe(topic, filters: filters)
    let lease = StreamLease { [weak self] in self?.unsubscribe(id) }
    return AsyncStream {
      withExtendedLifetime(lease) {}
      return await inbox.next()
    } onCancel: { [weak self] in
      self?.unsubscribe(id)
    }
  }
}
