// libFuzzer's door to the targets: `build.sh` compiles it and everything below into one binary, FUZZ_TARGET chooses.

import FuzzTargets
import Glibc

/// The target that this process fuzzes.
private let target: FuzzTarget = {
  let name = getenv("FUZZ_TARGET").map { String(cString: $0) } ?? ""
  guard let target = FuzzTarget(rawValue: name) else {
    print("FUZZ_TARGET must be one of: \(FuzzTarget.allCases.map(\.rawValue).joined(separator: " "))")
    exit(2)
  }
  return target
}()

/// Every how many inputs are compared with Foundation too.
private let thoroughEvery: UInt64 = getenv("FUZZ_THOROUGH_EVERY").flatMap { UInt64(String(cString: $0)) } ?? 64

/// Runs one input; ends the process, which makes libFuzzer keep the input, when something does not hold.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = UnsafeBufferPointer(start: start, count: count).span
  do {
    try target.run(bytes, isThorough: bytes.fingerprint % thoroughEvery == 0)
  } catch {
    fatalError("\(target.rawValue): \(error)")
  }
  return 0
}
