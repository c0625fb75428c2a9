// Eight bytes at a time over spans: the loads and stores that the byte loops of Wire are built from, bounds-checked.

extension Span where Element == UInt8 {
  /// The eight bytes from `offset`, as the machine's little-endian word. Traps when they are not all inside the span,
  /// so callers compare with `count` first, as they would before a subscript.
  @inlinable
  public func word(at offset: Int) -> UInt64 {
    precondition(offset >= 0 && offset <= count - 8)
    // SAFETY: the precondition keeps all eight bytes inside the span.
    return unsafe self.withUnsafeBufferPointer { bytes in
      unsafe UnsafeRawPointer(bytes.baseAddress!).loadUnaligned(fromByteOffset: offset, as: UInt64.self)
    }
  }

  /// Whether both spans hold the same bytes. Not constant-time: never for secrets.
  @inlinable
  public func equals(_ other: Span<UInt8>) -> Bool {
    if count != other.count { return false }
    var index = 0
    while index + 8 <= count {
      if word(at: index) != other.word(at: index) { return false }
      index += 8
    }
    while index < count {
      if self[index] != other[index] { return false }
      index += 1
    }
    return true
  }

  /// Whether the span holds exactly the bytes of an ASCII literal.
  @inlinable
  public func equals(_ text: StaticString) -> Bool {
    if count != text.utf8CodeUnitCount { return false }
    // SAFETY: the literal's bytes are constant and `count` long.
    let start = unsafe text.utf8Start
    for index in 0..<count where unsafe self[index] != start[index] { return false }
    return true
  }

  /// Whether the span holds an ASCII literal, letters compared without case. `text` must be given in lower case.
  @inlinable
  public func equalsIgnoringCase(_ text: StaticString) -> Bool {
    if count != text.utf8CodeUnitCount { return false }
    // SAFETY: as `equals`.
    let start = unsafe text.utf8Start
    for index in 0..<count {
      var byte = self[index]
      if byte >= 0x41 && byte <= 0x5A { byte |= 0x20 }
      if unsafe byte != start[index] { return false }
    }
    return true
  }

  /// The bytes decoded as UTF-8, faulty ones replaced. For cold paths: it allocates.
  public var string: String {
    // SAFETY: the buffer is only read during the call.
    unsafe self.withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
  }

  /// A copy of the bytes. For cold paths: it allocates.
  public var array: [UInt8] {
    // SAFETY: the buffer is only read during the call.
    unsafe self.withUnsafeBufferPointer { unsafe [UInt8]($0) }
  }
}

extension StaticString {
  /// The UTF-8 byte at `index` of a literal; an index outside it traps.
  @inlinable
  public func utf8Byte(_ index: Int) -> UInt8 {
    precondition(index >= 0 && index < utf8CodeUnitCount)
    // SAFETY: the precondition; a literal's bytes are constant.
    return unsafe utf8Start[index]
  }
}

extension MutableSpan where Element == UInt8 {
  /// Applies a WebSocket mask in place to `range`, eight bytes at a time.
  ///
  /// `mask` holds the four key bytes in wire order from the low byte up; `phase` is how many payload bytes of the frame
  /// came before this range (only its low two bits matter). RFC 6455 section 5.3. A range outside the span traps.
  @inlinable
  public mutating func unmask(_ range: Range<Int>, mask: UInt32, phase: Int) {
    precondition(range.lowerBound >= 0 && range.upperBound <= count)
    // An empty span may have no memory at all.
    if range.isEmpty { return }
    let turn = UInt32(truncatingIfNeeded: (phase & 3) * 8)
    let key = turn == 0 ? mask : (mask >> turn) | (mask << (32 - turn))
    let wide = UInt64(key) | UInt64(key) << 32
    // SAFETY: the precondition keeps every access inside the span; words are loaded and stored unaligned.
    unsafe self.withUnsafeMutableBufferPointer { bytes in
      let raw = UnsafeMutableRawPointer(bytes.baseAddress!)
      var offset = range.lowerBound
      let end = range.upperBound
      while offset + 8 <= end {
        let word = unsafe raw.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        unsafe raw.storeBytes(of: word ^ wide, toByteOffset: offset, as: UInt64.self)
        offset += 8
      }
      var rest = wide
      while offset < end {
        unsafe bytes[offset] ^= UInt8(truncatingIfNeeded: rest)
        rest >>= 8
        offset += 1
      }
    }
  }
}
