// `martlet user`: the users who may log in, in the user file.

import Auth
import Gateway

struct UserCommand {
  let tool: Tool

  private enum Action: String, CaseIterable {
    case add, list, remove
  }

  func run(_ arguments: Arguments) throws(UsageError) -> Report {
    let actions = Action.allCases.map(\.rawValue)
    guard let word = arguments.operands.first else {
      throw UsageError(text: "expected one of \(actions.joined(separator: ", "))")
    }
    guard let action = Action(rawValue: word) else {
      throw UsageError(text: "unknown action \"\(word)\"\(Suggestion.clause(for: word, among: actions))")
    }
    let name = arguments.operands.count > 1 ? arguments.operands[1] : nil
    if action == .list, let name { throw UsageError(text: "unexpected \"\(name)\"") }
    if action != .list && name == nil { throw UsageError(text: "\(word) which NAME?") }
    let configuration: Configuration
    switch try tool.configuration(arguments) {
    case .failure(let failure): return .refused(failure.reasons)
    case .success(let loaded): configuration = loaded
    }
    guard let path = configuration.accounts.file else {
      return .refused(["no user file: name one with --user-file FILE, MARTLET_ACCOUNTS_FILE or accounts.file"])
    }
    do throws(UserFileError) {
      switch action {
      case .add: return try add(name ?? "", path)
      case .list:
        return Report(output: try UserFile.load(path: path).users.names.map { $0 + "\n" }.joined())
      case .remove: return try remove(name ?? "", path)
      }
    } catch {
      return .refused([error.description])
    }
  }

  private func add(_ name: String, _ path: String) throws(UserFileError) -> Report {
    if let problem = UserFile.problem(withName: name) { return .refused([problem]) }
    let hash: String
    do throws(PasswordInputError) {
      let password = try tool.readPassword()
      do throws(PasswordError) {
        hash = try PasswordHasher.hash(password.span)
      } catch {
        return .refused([error.description])
      }
    } catch {
      return .refused([error.description])
    }
    var isNew = true
    try UserFile.update(path: path) { users throws(UserFileError) in
      isNew = users.hash(of: name) == nil
      if isNew && users.count >= UserFile.usersMax { return false }
      users.set(name, hash: hash)
      return true
    }
    return Report(output: isNew ? "\(name): added\n" : "\(name): password changed\n")
  }

  private func remove(_ name: String, _ path: String) throws(UserFileError) -> Report {
    let isRemoved = try UserFile.update(path: path) { users throws(UserFileError) in users.remove(name) }
    return isRemoved ? Report(output: "\(name): removed\n") : .refused(["\(path): no user \"\(name)\""])
  }
}
