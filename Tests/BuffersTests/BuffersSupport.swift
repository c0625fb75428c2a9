// What the tests of Buffers share: spans as arrays.
import Buffers

func array<Element>(_ span: Span<Element>) -> [Element] {
  var elements: [Element] = []
  elements.reserveCapacity(span.count)
  for index in 0..<span.count { elements.append(span[index]) }
  return elements
}

func array(_ buffer: borrowing ByteBuffer) -> [UInt8] { array(buffer.bytes) }

func text(_ buffer: borrowing ByteBuffer) -> String { String(decoding: array(buffer), as: UTF8.self) }
