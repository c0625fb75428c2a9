// How an error is shown to a person: as a sentence, never as the source code of an enum. Pure, any thread.
import FoundationEssentials

enum ErrorText {
  /// What an error says of itself. Those of the gateway all do; of an application's own that does not, its type and how
  /// the language prints it.
  static func of(_ error: any Error) -> String {
    if let error = error as? any CustomStringConvertible { return error.description }
    if error is CancellationError { return "it was cancelled" }
    if let text = (error as? any LocalizedError)?.errorDescription { return text }
    return "\(type(of: error)): \(error)"
  }
}
