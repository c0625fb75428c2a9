// The system calls of start-up: a directory that only this user can enter, and files in it. Used before any reactor
// runs.

import Glibc

/// Why a file or directory was not used.
public struct FileError: Error, Sendable, CustomStringConvertible {
  /// The path and the reason.
  public let description: String

  init(_ path: String, _ reason: String) { description = "\(path): \(reason)" }

  /// The system's reason; `code` is errno, read at once by the caller.
  init(_ path: String, code: Int32) {
    // SAFETY: strerror returns a constant or thread-local text, copied here; start-up has one thread.
    self.init(path, unsafe String(cString: strerror(code)))
  }
}

/// A directory of mode 0700 that belongs to this user, open and locked against other processes that use this type.
struct PrivateDirectory: ~Copyable {
  private let fd: Int32
  let path: String

  /// Opens the directory, making it if it is not there.
  ///
  /// A symbolic link, somebody else's directory or one that others may enter is refused: under /tmp, another user could
  /// have put it there to read what is written.
  static func open(path: String) throws(FileError) -> PrivateDirectory {
    // SAFETY: the C string lives for the call.
    if unsafe mkdir(path, 0o700) != 0 {
      let code = errno
      if code != EEXIST { throw FileError(path, code: code) }
    }
    // SAFETY: the C string lives for the call.
    let fd = unsafe Glibc.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    if fd < 0 { throw FileError(path, code: errno) }
    let directory = PrivateDirectory(fd: fd, path: path)
    try check(fd, path, kind: S_IFDIR)
    while flock(fd, LOCK_EX) != 0 {
      let code = errno
      if code != EINTR { throw FileError(path, code: code) }
    }
    return directory
  }

  deinit { close(fd) }

  /// The bytes of a file of mode 0600 that belongs to this user, or nil where there is none.
  func read(_ name: String) throws(FileError) -> [UInt8]? {
    let full = "\(path)/\(name)"
    // SAFETY: the C string lives for the call.
    let file = unsafe openat(fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
    if file < 0 {
      let code = errno
      if code == ENOENT { return nil }
      throw FileError(full, code: code)
    }
    defer { close(file) }
    try PrivateDirectory.check(file, full, kind: S_IFREG)
    return try FileBytes.all(of: file, full)
  }

  /// Replaces a file by one of mode 0600 with these bytes, all at once.
  func write(_ name: String, _ bytes: [UInt8]) throws(FileError) {
    let full = "\(path)/\(name)"
    let draft = "\(name).new"
    // Left behind by a process that died between open and rename; the lock says that nobody is using it.
    // SAFETY: the C string lives for the call.
    unsafe unlinkat(fd, draft, 0)
    // SAFETY: the C string lives for the call.
    let file = unsafe openat(fd, draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    if file < 0 { throw FileError(full, code: errno) }
    // SAFETY: the pointer is used during the call, for its own length.
    let (written, code) = unsafe bytes.withUnsafeBytes { raw in
      let count = unsafe Glibc.write(file, raw.baseAddress, raw.count)
      return (count, errno)
    }
    close(file)
    if written != bytes.count { throw FileError(full, code: written < 0 ? code : ENOSPC) }
    // SAFETY: the C string lives for the call.
    if unsafe renameat(fd, draft, fd, name) != 0 { throw FileError(full, code: errno) }
  }

  private static func check(_ fd: Int32, _ path: String, kind: mode_t) throws(FileError) {
    var status = stat()
    // SAFETY: a local that outlives the call.
    if unsafe fstat(fd, &status) != 0 { throw FileError(path, code: errno) }
    let name = kind == S_IFDIR ? "directory" : "file"
    if status.st_mode & S_IFMT != kind { throw FileError(path, "is not a \(name)") }
    if status.st_uid != geteuid() { throw FileError(path, "belongs to another user") }
    if status.st_mode & 0o077 != 0 { throw FileError(path, "others may read this \(name); make it chmod go-rwx") }
  }
}

/// Reads whole files.
public enum FileBytes {
  /// The bytes of a configuration file, at most one more than `Limits.configurationFileBytesMax`.
  public static func read(path: String) throws(FileError) -> [UInt8] {
    // SAFETY: the C string lives for the call.
    let file = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC)
    if file < 0 { throw FileError(path, code: errno) }
    defer { close(file) }
    return try all(of: file, path)
  }

  fileprivate static func all(of file: Int32, _ path: String) throws(FileError) -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while bytes.count <= Limits.configurationFileBytesMax {
      // SAFETY: the pointer is used during the call, for the chunk's own length.
      let (count, code) = unsafe chunk.withUnsafeMutableBytes { raw in
        let count = unsafe Glibc.read(file, raw.baseAddress, raw.count)
        return (count, errno)
      }
      if count == 0 { break }
      if count < 0 && code == EINTR { continue }
      if count < 0 { throw FileError(path, code: code) }
      bytes.append(contentsOf: chunk[..<count])
    }
    return bytes
  }
}

/// Who runs the process.
enum ProcessOwner {
  /// The effective user id.
  static var userId: UInt32 { geteuid() }
}
