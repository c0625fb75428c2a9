// The file of a listening Unix-domain socket, told from any other that later takes its path. A value, any thread.
import CLinux
import Glibc

/// A socket's file as it was when the socket was made.
public struct UnixSocketFile: Sendable, Equatable {
  /// Where it lies.
  public let path: String
  private let device: UInt64
  private let inode: UInt64

  /// The socket that lies at `path` now; nil where there is none.
  public init?(path: String) {
    var status = stat()
    // SAFETY: `path` is a terminated string for the call; `status` is written whole.
    guard unsafe lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return nil }
    self.path = path
    device = UInt64(status.st_dev)
    inode = UInt64(status.st_ino)
  }

  /// Removes the file, unless another has taken its place: then that belongs to whoever made it. Certain for as long as
  /// the socket is open, because until then no other file gets its inode number.
  public func remove() {
    if UnixSocketFile(path: path) == self { System.unlink(path: path) }
  }
}
