// The user file as the gateway sees it: kept in memory, read again when it has changed. One for the gateway; the
// threads that hash passwords.
import Auth
import EventLoop

/// The users of `accounts.file`.
final class UserDirectory: Sendable {
  /// Milliseconds between two looks at the file.
  static let lookMilliseconds: UInt64 = 1_000

  private struct State {
    var users = UserFile()
    var stamp: UserFile.Stamp?
    var lookedAt: UInt64?
    /// The mistake that was reported last, so that it is not reported every second.
    var mistake: String?
  }

  private let path: String
  private let report: @Sendable (String) -> Void
  private let state = Lock(State())

  /// The users of the file at `path`. `report` is told, once, why the file cannot be used.
  init(path: String, report: @escaping @Sendable (String) -> Void) {
    self.path = path
    self.report = report
  }

  /// The hash of a user's password, or nil where there is no such user. Reads the file when it has changed, which is
  /// looked at once a second at most.
  ///
  /// A file that has a mistake leaves the users as they were: it is being edited, and nobody should be locked out by
  /// that. A file that has gone, or that others may read now, holds no users. The clock is monotonic.
  func hash(of name: String, nowMilliseconds: UInt64) -> String? {
    state.withLock { state in
      if state.lookedAt.map({ nowMilliseconds < $0 || nowMilliseconds - $0 >= Self.lookMilliseconds }) ?? true {
        state.lookedAt = nowMilliseconds
        refresh(&state)
      }
      return state.users.hash(of: name)
    }
  }

  private func refresh(_ state: inout State) {
    let stamp = UserFile.stamp(path: path)
    if stamp != nil && stamp == state.stamp { return }
    do {
      let loaded = try UserFile.load(path: path)
      state.users = loaded.users
      state.stamp = loaded.stamp
      state.mistake = nil
    } catch {
      // Looked at again next second, for it may be half written.
      state.stamp = nil
      if stamp == nil || !error.isInContents { state.users = UserFile() }
      if state.mistake != error.description {
        state.mistake = error.description
        report(error.description)
      }
    }
  }
}
