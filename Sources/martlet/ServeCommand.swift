// `martlet serve`: a checked configuration with its secrets, ready to run.

import Auth
import Gateway

struct ServeCommand {
  let tool: Tool

  func run(_ arguments: Arguments) throws(UsageError) -> Outcome {
    var configuration: Configuration
    switch try tool.configuration(arguments) {
    case .failure(let failure): return .finished(.refused(failure.reasons))
    case .success(let loaded): configuration = loaded
    }
    var notice = ""
    if configuration.development {
      let store = DevelopmentSecrets(environment: tool.environment)
      do {
        notice = ServeCommand.notice(try store.fill(&configuration), configuration, store)
      } catch {
        return .finished(.refused(["development secrets: \(error)"]))
      }
    }
    let mistakes = configuration.checkSecrets(of: configuration.servedDialects) + configuration.checkBackendsSecret()
    if !mistakes.isEmpty { return .finished(.refused(mistakes.map(\.description))) }
    if let path = configuration.accounts.file {
      do {
        _ = try UserFile.load(path: path)
      } catch {
        return .finished(.refused(["accounts.file: \(error)"]))
      }
    }
    return .serve(configuration, notice: notice)
  }

  /// What development mode says once, before the log begins. The only place that shows a secret.
  private static func notice(
    _ filled: [DevelopmentSecrets.Filled], _ configuration: Configuration, _ store: DevelopmentSecrets
  ) -> String {
    var lines = ["martlet: development mode, with open doors: not for the internet"]
    for entry in filled where entry.dialect.map({ configuration.servedDialects.contains($0) }) ?? true {
      lines.append("martlet: \(entry.environment)=\(entry.secret.text) (made up, kept in \(store.path))")
    }
    return lines.map { $0 + "\n" }.joined()
  }
}
