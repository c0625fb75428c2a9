// Reading and replacing the user file. System calls: of the command line, and of the threads that check passwords.
import Glibc

extension UserFile {
  /// What tells one state of a file from another without reading it: which file it is, what it holds, and who may read
  /// it. The time of its last change of any kind comes with it, for what leaves everything else as it was.
  public struct Stamp: Sendable, Equatable {
    let device: UInt64
    let inode: UInt64
    let size: Int64
    let seconds: Int64
    let nanoseconds: Int64
    let mode: UInt32
    let owner: UInt32
    let group: UInt32
    let changedSeconds: Int64
    let changedNanoseconds: Int64

    init(_ status: stat) {
      device = UInt64(status.st_dev)
      inode = UInt64(status.st_ino)
      size = Int64(status.st_size)
      seconds = Int64(status.st_mtim.tv_sec)
      nanoseconds = Int64(status.st_mtim.tv_nsec)
      mode = UInt32(status.st_mode)
      owner = UInt32(status.st_uid)
      group = UInt32(status.st_gid)
      changedSeconds = Int64(status.st_ctim.tv_sec)
      changedNanoseconds = Int64(status.st_ctim.tv_nsec)
    }
  }

  /// The state of the file at this moment; nil where there is none.
  public static func stamp(path: String) -> Stamp? {
    var status = stat()
    // SAFETY: the C string lives for the call, and the local outlives it.
    return unsafe stat(path, &status) == 0 ? Stamp(status) : nil
  }

  /// Reads the file, which others must not be able to read, nor its group to write.
  ///
  /// - Returns: the users, and the state of the file that they come from.
  public static func load(path: String) throws(UserFileError) -> (users: UserFile, stamp: Stamp) {
    // SAFETY: the C string lives for the call.
    let fd = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    if fd < 0 { throw UserFileError(path, reason(errno)) }
    defer { close(fd) }
    var status = stat()
    // SAFETY: a local that outlives the call.
    if unsafe fstat(fd, &status) != 0 { throw UserFileError(path, reason(errno)) }
    if status.st_mode & S_IFMT != S_IFREG { throw UserFileError(path, "is not a file") }
    if status.st_mode & 0o037 != 0 {
      throw UserFileError(path, "others may read it or its group may write it; make it chmod 0600")
    }
    return (try UserFile(try read(fd, path), path: path), Stamp(status))
  }

  /// Reads the file, lets `change` alter it, and puts the outcome in its place, while no other call does the same.
  ///
  /// The new file is written and synchronised beside the old one and then renamed, so that a reader sees one or the
  /// other, whole. It has the owner, group and mode of the old one; a new one has mode 0600 and, where root makes it,
  /// the owner of its directory. A missing file holds no users. Nothing is written when `change` returns false.
  @discardableResult
  public static func update(
    path: String, _ change: (inout UserFile) throws(UserFileError) -> Bool
  ) throws(UserFileError) -> Bool {
    let parts = split(path)
    // SAFETY: the C string lives for the call.
    let directory = unsafe open(parts.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    if directory < 0 { throw UserFileError(parts.directory, reason(errno)) }
    defer { close(directory) }
    while flock(directory, LOCK_EX) != 0 {
      let code = errno
      if code != EINTR { throw UserFileError(parts.directory, reason(code)) }
    }
    var status = stat()
    // SAFETY: the C string lives for the call, and the local outlives it.
    let isNew = unsafe fstatat(directory, parts.name, &status, AT_SYMLINK_NOFOLLOW) != 0
    if isNew && errno != ENOENT { throw UserFileError(path, reason(errno)) }
    if !isNew && status.st_mode & S_IFMT == S_IFLNK {
      throw UserFileError(path, "is a link; name the file itself")
    }
    var users = UserFile()
    if !isNew { users = try load(path: path).users }
    if try !change(&users) { return false }
    if isNew {
      // SAFETY: a local that outlives the call.
      if unsafe fstat(directory, &status) != 0 { throw UserFileError(path, reason(errno)) }
    }
    try replace(path, directory, parts.name, users.bytes, like: status, isNew: isNew)
    return true
  }

  private static func replace(
    _ path: String, _ directory: Int32, _ name: String, _ bytes: [UInt8], like status: stat, isNew: Bool
  ) throws(UserFileError) {
    let draft = ".\(name).new"
    // Left behind by a process that died between open and rename; the lock says that nobody is using it.
    // SAFETY: the C strings live for the calls.
    unsafe unlinkat(directory, draft, 0)
    let fd = unsafe openat(directory, draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    if fd < 0 { throw UserFileError(path, reason(errno)) }
    var code = write(fd, bytes)
    if code == 0 && geteuid() == 0 && fchown(fd, status.st_uid, status.st_gid) != 0 { code = errno }
    if code == 0 && fchmod(fd, isNew ? 0o600 : status.st_mode & 0o740) != 0 { code = errno }
    if code == 0 && fsync(fd) != 0 { code = errno }
    close(fd)
    // SAFETY: the C strings live for the calls.
    let isRenamed = unsafe code == 0 && renameat(directory, draft, directory, name) == 0
    if code == 0 && !isRenamed { code = errno }
    if code != 0 {
      unsafe unlinkat(directory, draft, 0)
      throw UserFileError(path, reason(code))
    }
    // The rename itself must survive a crash too.
    fsync(directory)
  }

  /// Writes everything; errno, or 0.
  private static func write(_ fd: Int32, _ bytes: [UInt8]) -> Int32 {
    var offset = 0
    while offset < bytes.count {
      // SAFETY: the pointer is used during the call only, for the bytes behind `offset`.
      let (count, code) = unsafe bytes.withUnsafeBytes { raw in
        let count = unsafe Glibc.write(fd, raw.baseAddress! + offset, raw.count - offset)
        return (count, errno)
      }
      if count > 0 { offset += count } else if count == 0 || code != EINTR { return count == 0 ? ENOSPC : code }
    }
    return 0
  }

  private static func read(_ fd: Int32, _ path: String) throws(UserFileError) -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while bytes.count <= fileBytesMax {
      // SAFETY: the pointer is used during the call only, for the chunk's own length.
      let (count, code) = unsafe chunk.withUnsafeMutableBytes { raw in
        let count = unsafe Glibc.read(fd, raw.baseAddress, raw.count)
        return (count, errno)
      }
      if count == 0 { break }
      if count < 0 && code == EINTR { continue }
      if count < 0 { throw UserFileError(path, reason(code)) }
      bytes.append(contentsOf: chunk[..<count])
    }
    return bytes
  }

  private static func split(_ path: String) -> (directory: String, name: String) {
    guard let slash = path.lastIndex(of: "/") else { return (".", path) }
    let name = String(path[path.index(after: slash)...])
    return (slash == path.startIndex ? "/" : String(path[..<slash]), name)
  }

  /// The system's reason.
  private static func reason(_ code: Int32) -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    // SAFETY: the buffer outlives the call, which is told its length and leaves a terminated text in it.
    let status = unsafe buffer.withUnsafeMutableBufferPointer { target in
      unsafe strerror_r(code, target.baseAddress!, target.count)
    }
    if status != 0 { return "error \(code)" }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
