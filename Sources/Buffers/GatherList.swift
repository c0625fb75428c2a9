// The pieces of one gathered write, collected on the reactor's thread and handed to sendmsg(2) in one go.

/// A bounded list of (address, length) pairs laid out as the kernel's `struct iovec`.
///
/// Pieces point into chunks that the caller keeps alive until the write has returned.
@safe
public struct GatherList: ~Copyable {
  /// Pieces in one write at most. Linux accepts 1 024 (UIO_MAXIOV); past a few dozen the gain is gone.
  public static var piecesMax: Int { 64 }

  @usableFromInline let vectors: UnsafeMutablePointer<(UnsafeRawPointer?, Int)>
  @usableFromInline var used = 0

  public init() {
    // SAFETY: `piecesMax` elements are allocated and initialised here, and freed in `deinit`.
    unsafe vectors = .allocate(capacity: Self.piecesMax)
    unsafe vectors.initialize(repeating: (nil, 0), count: Self.piecesMax)
  }

  deinit {
    // SAFETY: the allocation of `init`.
    unsafe vectors.deallocate()
  }

  @inlinable public var isFull: Bool { used == Self.piecesMax }
  @inlinable public var count: Int { used }
  /// Bytes in all pieces together.
  public private(set) var byteCount = 0
  public mutating func removeAll() {
    used = 0
    byteCount = 0
  }

  /// Adds a piece; ignored when the list is full.
  public mutating func append(_ piece: Span<UInt8>) {
    if isFull { return }
    // SAFETY: the slot is below `piecesMax`; the caller keeps the chunk under the piece alive until the write has
    // returned.
    unsafe piece.withUnsafeBufferPointer { bytes in
      unsafe vectors[used] = (UnsafeRawPointer(bytes.baseAddress), bytes.count)
    }
    used += 1
    byteCount += piece.count
  }

  /// The pairs and their number, for the one place that makes the system call.
  @unsafe
  @inlinable
  public func withVectors<Result>(_ body: (UnsafeMutablePointer<(UnsafeRawPointer?, Int)>, Int) -> Result) -> Result {
    // SAFETY: `used` pairs are initialised; `body` only has them during the call.
    unsafe body(vectors, used)
  }
}
