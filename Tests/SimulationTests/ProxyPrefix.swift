// The PROXY protocol as the proxies of simulated clients write it, after the specification and not after Sources/Wire.
import EventLoop

enum ProxyPrefix {
  private static let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]

  /// What a proxy writes in front of a connection, if one is in between; says who the client is.
  static func make(for socket: SimulatedSocket, _ plan: SimulationPlan, _ world: SimulatedWorld) -> [UInt8] {
    guard plan.proxies[socket.listener] else { return [] }
    let port = UInt16(2_000 + socket.id % 60_000)
    let bytes = [10, 1, UInt8(truncatingIfNeeded: socket.id >> 8), UInt8(truncatingIfNeeded: socket.id)]
    let four = bytes.map { "\($0)" }.joined(separator: ".")
    let ports: [UInt8] = [UInt8(port >> 8), UInt8(port & 255), 0, 80]
    let low = 0xFFFF_0A01_0000 + UInt64(socket.id & 0xFFFF)
    let high: UInt64 = 0x2001_0DB8_0000_0000
    let sixteen: [UInt8] = [0x20, 0x01, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF] + bytes
    switch world.random.below(6) {
    case 0:
      socket.claimed = PeerAddress(high: 0, low: low, port: port)
      return Array("PROXY TCP4 \(four) 10.0.0.1 \(port) 80\r\n".utf8)
    case 1:
      socket.claimed = PeerAddress(high: high, low: UInt64(socket.id & 0xFFFF), port: port)
      let last = String(socket.id & 0xFFFF, radix: 16)
      return Array("PROXY TCP6 2001:db8::\(last) 2001:db8::1 \(port) 80\r\n".utf8)
    case 2:
      return Array("PROXY UNKNOWN\r\n".utf8)
    case 3:
      socket.claimed = PeerAddress(high: 0, low: low, port: port)
      return signature + [0x21, 0x11, 0, 17] + bytes + [10, 0, 0, 1] + ports + [4, 0, 2, 7, 7]
    case 4:
      socket.claimed = PeerAddress(high: high, low: low, port: port)
      return signature + [0x21, 0x21, 0, 36] + sixteen + sixteen + ports
    default:
      return signature + [0x20, 0x00, 0, 0]
    }
  }

  /// Headers that are none.
  static let wrong: [[UInt8]] = [
    Array("PROXY TCP4 1.2.3 10.0.0.1 1 80\r\n".utf8), Array("PROXY TCP5\r\n".utf8), signature + [0x31, 0x11, 0, 0],
    signature + [0x21, 0x11, 0, 4, 1, 2, 3, 4],
  ]
}
