import Buffers
import Wire
struct SocketIOClient: ~Copyable { var handshakeToken: [UInt8]? }
extension Shard where Kernel: ~Copyable {
  mutating func receiveSocketIO(_ slot: UInt32, text: Span<UInt8>) {}
  mutating func receiveSocketIO(_ slot: UInt32, binary: Span<UInt8>) {}
  mutating func leaveSocketIO(_ session: borrowing EngineSession) {}
}
