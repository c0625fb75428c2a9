// Stand-in for the server's entry point.

/// The server.
public enum GatewayServer {
  /// Runs until a signal stops it; the result is the exit status of the process.
  public static func run(_ configuration: Configuration) -> Int32 { 0 }
}
