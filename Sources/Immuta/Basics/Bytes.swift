// Loads and stores of little-endian integers at any alignment. Bounds are checked by the buffers themselves.

extension UnsafeRawBufferPointer {
  package func loadInteger<T: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as type: T.Type = T.self) -> T {
    unsafe T(littleEndian: loadUnaligned(fromByteOffset: offset, as: T.self))
  }
}

extension UnsafeMutableRawBufferPointer {
  package func storeInteger<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, at offset: Int) {
    unsafe storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self)
  }
}

// The standard library's `withUnsafeBytes` rethrows any error; these throw the one that the body throws.
extension [UInt8] {
  package func withBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
    try unsafe withUnsafeBufferPointer { (bytes) throws(E) in try unsafe body(UnsafeRawBufferPointer(bytes)) }
  }

  package mutating func withMutableBytes<R, E: Error>(
    _ body: (UnsafeMutableRawBufferPointer) throws(E) -> R
  ) throws(E) -> R {
    try unsafe withUnsafeMutableBufferPointer { (bytes) throws(E) in
      try unsafe body(UnsafeMutableRawBufferPointer(bytes))
    }
  }
}

/// Calls `body` with the bytes of a collection, copied only if they are not contiguous.
@inlinable
func withBytes<R, E: Error>(
  of bytes: some Collection<UInt8>, _ body: (UnsafeRawBufferPointer) throws(E) -> R
) throws(E) -> R {
  // The closure of `withContiguousStorageIfAvailable` cannot throw a typed error.
  func call(_ buffer: UnsafeBufferPointer<UInt8>) -> Result<R, E> {
    do throws(E) {
      return .success(try unsafe body(UnsafeRawBufferPointer(buffer)))
    } catch {
      return .failure(error)
    }
  }
  if let result = bytes.withContiguousStorageIfAvailable(call) { return try result.get() }
  let copy = ContiguousArray(bytes)
  return try unsafe copy.withUnsafeBufferPointer(call).get()
}
