// Helpers of the configuration tests.
import FoundationEssentials

@testable import Gateway

/// Loads a configuration from texts.
func load(
  file: String? = nil, environment: [String: String] = [:], flags: [(String, String)] = []
) throws(ConfigurationError) -> Configuration {
  var sources = ConfigurationSources()
  sources.environment = environment
  sources.fileName = "test.json5"
  sources.file = file.map { Array($0.utf8) }
  sources.flags = flags.map { (key: $0.0, text: $0.1, origin: "--set") }
  return try Configuration.load(sources)
}

/// The mistakes of a configuration, as an operator reads them.
func mistakes(
  file: String? = nil, environment: [String: String] = [:], flags: [(String, String)] = []
) -> [String] {
  do {
    _ = try load(file: file, environment: environment, flags: flags)
    return []
  } catch {
    return error.mistakes.map(\.description)
  }
}

/// What a table finds for a path.
func find(_ table: MountTable, _ path: String) -> MountTarget? {
  let bytes = Array(path.utf8)
  return table.find(path: bytes.span)
}

/// Removes a directory of a test with everything in it.
func removeDirectory(_ path: String) { try? FileManager.default.removeItem(atPath: path) }
