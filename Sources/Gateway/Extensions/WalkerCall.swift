// One run of a walker, over a socket or by a request: its reports gathered, its failure put into words. Any thread.
import Buffers
import Dialects
import EventLoop

extension Walker {
  /// The fields as the checker of contexts knows them.
  var checkedFields: [WalkersField] {
    fields.map { field in
      let kind: WalkersField.Kind =
        switch field.type {
        case .string: .string
        case .integer: .integer
        case .number: .number
        case .boolean: .boolean
        case .object: .object
        case .list: .list
        case .any: .any
        }
      return WalkersField(field.name, kind, isRequired: field.isRequired)
    }
  }
}

/// A walker about to run.
final class WalkerCall: Sendable {
  /// How a run ended.
  enum Outcome: Sendable, Equatable {
    /// It returned; what it reported, each raw JSON.
    case reports([[UInt8]])
    /// It threw; the sentence is for the client.
    case failed(String)
    /// It wanted to reach others for somebody who may not.
    case denied
    /// It took longer than it may.
    case timedOut
    /// The connection that asked has gone: nobody is to be told.
    case abandoned
  }

  /// What a client is told of a walker that threw something that is not for its eyes.
  static let failure = "Walker failed"
  /// What a client is told of a walker that took too long.
  static let timeout = "Walker timed out"
  /// What a client is told when the connection or the gateway has as many calls as are allowed.
  static let tooMany = "Too many calls"

  /// What a client is told of what it may not do.
  static let denied = "Permission denied"

  private let handler: Handler
  private let runs: HandlerRuns
  private let call: Call
  private let reports: Lock<[[UInt8]]>
  /// Nil for who may reach others.
  private let barrier: NotifyBarrier?

  /// A run of `walker` with a context that has been checked. `connection` is nil for a request, `root` for the public
  /// user. Without `mayNotify` what it sends to users, channels and clients reaches nobody, and it fails.
  init(
    _ walker: Walker, name: String, connection: ConnectionID?, root: String?, context: [UInt8], outlet: Outlet,
    mayNotify: Bool, runs: HandlerRuns
  ) {
    let barrier = mayNotify ? nil : NotifyBarrier()
    self.barrier = barrier
    let reports = Lock<[[UInt8]]>([])
    handler = walker.handler
    self.runs = runs
    self.reports = reports
    call = Call(
      dialect: .walkers, name: name, connection: connection, user: root, context: context,
      outlet: barrier.map { outlet.behind($0) } ?? outlet
    ) { _, json in
      reports.withLock { $0.append(json) }
    }
  }

  /// Runs the walker.
  func run() async -> Outcome {
    do {
      try await runs.run(handler, call)
      if barrier?.wasHit == true { return .denied }
      return .reports(reports.withLock { $0 })
    } catch HandlerError.rejected(let text) {
      return .failed(text)
    } catch HandlerError.timedOut {
      return .timedOut
    } catch HandlerError.disconnected {
      return .abandoned
    } catch is CancellationError {
      return .abandoned
    } catch {
      return .failed(Self.failure)
    }
  }

  /// What a socket is sent in the end; nil for nothing.
  static func message(_ outcome: Outcome, wantsResponse: Bool) -> [UInt8]? {
    var text = ByteBuffer(capacity: 128)
    switch outcome {
    case .reports(let reports):
      if !wantsResponse { return nil }
      WalkersEncoder.appendResult(reports: reports, to: &text)
    case .failed(let sentence): WalkersEncoder.appendFailure(sentence, to: &text)
    case .denied: WalkersEncoder.appendDenial(.mayNotSend, walker: Span(), to: &text)
    case .timedOut: WalkersEncoder.appendFailure(timeout, to: &text)
    case .abandoned: return nil
    }
    return text.bytes.array
  }
}
