import CImmutaFileCalls
import ImmutaLibC

// Files as memory.
extension SystemCalls {
  static func map(
    _ descriptor: Int32, at offset: Int, count: Int, writable: Bool, path: String
  ) throws(FileError) -> UnsafeMutableRawPointer {
    var address: UnsafeMutableRawPointer?
    _ = try run(.map, operation: .mmap, path: path) { _ in
      unsafe address = mmap(
        nil, count, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, descriptor, off_t(offset))
      return unsafe address == MAP_FAILED ? -1 : 0
    }
    guard let address = unsafe address else { preconditionFailure("mmap gave no address and no error") }
    return unsafe address
  }

  /// Keeps mapped pages out of the processes that this one makes.
  static func keepFromChildren(_ address: UnsafeMutableRawPointer, count: Int) -> Bool {
    unsafe file_keep_from_children(address, Int64(count)) == 0
  }

  static func unmap(_ address: UnsafeMutableRawPointer, count: Int) {
    unsafe munmap(address, count)
  }

  /// Gives the memory of mapped pages back; the file keeps their bytes, and touching them again reads them from it.
  static func forget(_ address: UnsafeMutableRawPointer, count: Int) {
    unsafe _ = madvise(address, count, Int32(MADV_DONTNEED))
  }

  static func populateForReading(_ address: UnsafeMutableRawPointer, count: Int, path: String) throws(FileError) {
    let number = unsafe file_populate_read(address, Int64(count))
    // EINVAL: a kernel without the call; the pages are then faulted in as they are touched.
    if number != 0, number != EINVAL { throw .failed(.madvise, number, path: path) }
  }

  static let pageSize = Int(sysconf(Int32(_SC_PAGESIZE)))
}
