// What a process has used, read from /proc: CPU time of all its threads, memory. Cold; read between rounds only.
import EventLoop

/// CPU time of a process at one moment.
struct CPUTime: Sendable {
  /// Nanoseconds of all living threads by the scheduler's account; 0 when the kernel keeps none.
  var nanoseconds: UInt64 = 0
  /// Clock ticks (10 ms) in user mode and in the kernel, threads that have ended included.
  var userTicks: UInt64 = 0
  var systemTicks: UInt64 = 0

  /// Linux reports times to user space in hundredths of a second on every architecture.
  static let nanosecondsPerTick: UInt64 = 10_000_000

  /// CPU time of `process`; nil when there is none by that number.
  init?(process: Int) {
    guard let stat = Kernel.text(of: "/proc/\(process)/stat"), let close = stat.lastIndex(of: ")") else { return nil }
    // Behind the name in brackets, `state` is field 3; utime is 14 and stime 15. proc_pid_stat(5).
    let fields = stat[close...].split(separator: " ").dropFirst()
    guard fields.count > 13 else { return nil }
    userTicks = UInt64(fields[fields.startIndex + 11]) ?? 0
    systemTicks = UInt64(fields[fields.startIndex + 12]) ?? 0
    for thread in Kernel.numbers(in: "/proc/\(process)/task") {
      guard let text = Kernel.text(of: "/proc/\(process)/task/\(thread)/schedstat") else { continue }
      nanoseconds += text.split(separator: " ").first.flatMap { UInt64($0) } ?? 0
    }
  }

  /// Nanoseconds used since `earlier`: by the scheduler's account, or by ticks where there is none.
  func nanoseconds(since earlier: CPUTime) -> UInt64 {
    if nanoseconds > 0 { return nanoseconds > earlier.nanoseconds ? nanoseconds - earlier.nanoseconds : 0 }
    return (userTicks + systemTicks - earlier.userTicks - earlier.systemTicks) * CPUTime.nanosecondsPerTick
  }
}

/// Memory of a process at one moment, in bytes.
struct Memory: Sendable {
  /// Resident memory as `status` tells it.
  var resident = 0
  /// Private and shared pages, the shared ones by their share.
  var proportional = 0
  /// The anonymous pages among them: heap and stacks.
  var anonymous = 0

  init?(process: Int) {
    guard let status = Kernel.text(of: "/proc/\(process)/status") else { return nil }
    let rollup = Kernel.text(of: "/proc/\(process)/smaps_rollup") ?? ""
    resident = Memory.kilobytes("VmRSS:", in: status) * 1024
    proportional = Memory.kilobytes("Pss:", in: rollup) * 1024
    anonymous = Memory.kilobytes("Pss_Anon:", in: rollup) * 1024
  }

  private static func kilobytes(_ name: String, in text: String) -> Int {
    for line in text.split(separator: "\n") where line.hasPrefix(name) {
      return Int(line.split(separator: " ").dropFirst().first ?? "") ?? 0
    }
    return 0
  }
}
