#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Memory between two pages that nobody may touch: an access one byte outside ends the process.
struct GuardedMemory: ~Copyable {
  /// The usable bytes: whole pages.
  let bytes: UnsafeMutableRawBufferPointer
  private let mapping: UnsafeMutableRawBufferPointer

  init(pages: Int) {
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let size = (pages + 2) * page
    guard
      let start = mmap(nil, size, PROT_NONE, MAP_PRIVATE | MAP_ANON, -1, 0), start != MAP_FAILED,
      mprotect(start + page, pages * page, PROT_READ | PROT_WRITE) == 0
    else { fatalError("cannot map \(size) bytes: errno \(errno)") }
    mapping = UnsafeMutableRawBufferPointer(start: start, count: size)
    bytes = UnsafeMutableRawBufferPointer(start: start + page, count: pages * page)
  }

  deinit { munmap(mapping.baseAddress, mapping.count) }

  /// The first `count` bytes: what lies before them is out of bounds.
  func prefix(_ count: Int) -> UnsafeMutableRawBufferPointer { .init(rebasing: bytes[..<count]) }

  /// The last `count` bytes: what lies after them is out of bounds.
  func suffix(_ count: Int) -> UnsafeMutableRawBufferPointer { .init(rebasing: bytes[(bytes.count - count)...]) }
}
