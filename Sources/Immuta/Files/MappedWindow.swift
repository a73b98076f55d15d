/// Part of a file seen as memory, shared with the kernel's page cache. Unmapped when the last holder lets go, so a view
/// into it is valid for as long as the window is held. The mapping outlives the descriptor it was made from: a view of
/// a record keeps neither a descriptor nor the writer's lock.
///
/// `@unchecked Sendable`: the pointer itself never changes. Its users agree on who may touch which of its bytes: the writer alone
/// stores into bytes after the last committed record; committed bytes are never stored to again, and readers load them only after
/// an acquiring load of the count that the writer stored, releasing, after them.
@safe package final class MappedWindow: @unchecked Sendable {
  /// Memory of the byte at `offset`.
  package let base: UnsafeMutableRawPointer
  /// Where in the file the window begins: a multiple of the page size.
  package let offset: Int
  package let count: Int
  private let path: String

  /// The byte of the file after the window's last one.
  package var end: Int { offset + count }

  /// Maps at least the bytes `range` of the file.
  package init(_ descriptor: Descriptor, _ range: Range<Int>, writable: Bool) throws(FileError) {
    let page = SystemCalls.pageSize
    offset = range.lowerBound / page * page
    count = max(1, range.upperBound - offset)
    path = descriptor.path
    let (offset, count) = (offset, count)
    unsafe base = try descriptor.withNumber { (number) throws(FileError) in
      try unsafe SystemCalls.map(number, at: offset, count: count, writable: writable, path: descriptor.path)
    }
  }

  deinit {
    unsafe SystemCalls.unmap(base, count: count)
  }

  /// Keeps the mapping out of processes that this one forks: they would otherwise keep the file open, too.
  func keepFromChildren() -> Bool { unsafe SystemCalls.keepFromChildren(base, count: count) }

  @inline(__always)
  package func contains(_ range: Range<Int>) -> Bool {
    range.lowerBound >= offset && range.upperBound <= end
  }

  /// The bytes `range` of the file, which must lie in the window.
  package func bytes(_ range: Range<Int>) -> UnsafeMutableRawBufferPointer {
    precondition(contains(range), "bytes \(range) are outside the window \(offset)..<\(end)")
    return unsafe UnsafeMutableRawBufferPointer(start: base + (range.lowerBound - offset), count: range.count)
  }

  /// Faults in the pages of `range`, so that a file that ends too early is an error here rather than a signal later.
  package func populateForReading(_ range: Range<Int>) throws(FileError) {
    let pages = pages(around: range)
    try unsafe SystemCalls.populateForReading(base + (pages.lowerBound - offset), count: pages.count, path: path)
  }

  /// Gives the memory of the pages of `range` back to the system; the file keeps their bytes.
  ///
  /// Touching one page makes the kernel map its neighbours too, those before it included: for a reader that goes forward through
  /// the window, the pages just before `range` are given back again.
  package func forget(_ range: Range<Int>) {
    let pages = pages(around: max(offset, range.lowerBound - Self.largestNeighbourhood)..<range.upperBound)
    unsafe SystemCalls.forget(base + (pages.lowerBound - offset), count: pages.count)
  }

  /// As far as the kernel maps around a page: a huge page.
  private static var largestNeighbourhood: Int { 2 << 20 }

  private func pages(around range: Range<Int>) -> Range<Int> {
    precondition(contains(range), "bytes \(range) are outside the window \(offset)..<\(end)")
    let page = SystemCalls.pageSize
    return range.lowerBound / page * page..<range.upperBound
  }
}
