// What to do about a listener that cannot be opened, in a sentence. Start-up only.
import EventLoop
import Glibc

enum ListenerAdvice {
  /// What is wrong, and what changes it.
  static func sentence(_ address: ListenerAddress, isAdmin: Bool, _ error: SystemError) -> String {
    switch address {
    case .tcp(let host, let port): tcp(host, port, isAdmin: isAdmin, error)
    case .unix: unix(error)
    }
  }

  private static func tcp(_ host: String, _ port: UInt16, isAdmin: Bool, _ error: SystemError) -> String {
    let flag = isAdmin ? "--admin-port" : "--port"
    switch error.number {
    case EADDRINUSE:
      return isAdmin ? "address in use; --admin-port or --no-admin" : "address in use; --port takes another port"
    case EACCES where port < 1_024:
      return "permission denied: ports below 1024 need CAP_NET_BIND_SERVICE; \(flag) takes another port"
    case EADDRNOTAVAIL:
      return "this machine has no such address; \(isAdmin ? "--admin-host" : "--host") takes another"
    case EAFNOSUPPORT:
      return "this machine has no \(host.utf8.contains(0x3A) ? "IPv6" : "IPv4")"
    default:
      return "\(error)"
    }
  }

  private static func unix(_ error: SystemError) -> String {
    switch error.number {
    case EADDRINUSE: "address in use: another process answers there; --unix takes another path"
    case EEXIST: "there is something else than a socket; remove it, or take another path with --unix"
    case ENOENT: "the directory does not exist"
    case ENOTDIR: "a part of the path is no directory"
    case EACCES, EPERM: "permission denied: the user who runs this may not make, replace or reach a socket there"
    default: "\(error)"
    }
  }
}
