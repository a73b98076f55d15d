/// Names words of a file to the kernel, for waiting on them and for waking, in any process: a piece of address space over the
/// file, read-only and shared.
///
/// Nothing is ever loaded through it: if the file is cut short, a load would raise a signal, but the kernel reports an error. The
/// kernel identifies words by the file and the place in it, so it does not matter how, or whether, others have mapped the file,
/// nor that they store by `pwrite`.
@safe struct FileWords: Sendable {
  private var window: MappedWindow?
  /// The descriptor that it was made from; not its number, which another file may have by now.
  private var file: Descriptor?

  /// Address space costs nothing until it is used: so much that words that follow each other need few windows.
  private static var size: Int { 1 << 20 }

  /// The word at an offset, which is a multiple of four, as it is if it has this value; nil where the file cannot be mapped.
  /// To be used for as long as no other is asked for.
  mutating func word(at offset: Int, of file: Descriptor, value: UInt32 = 0) -> FileWord? {
    if window == nil || self.file !== file || !(window?.contains(offset..<offset + 4) ?? false) {
      let page = SystemCalls.pageSize
      window = try? MappedWindow(file, offset..<offset / page * page + Self.size, writable: false)
      self.file = file
    }
    guard let window else { return nil }
    return unsafe FileWord(at: window.base + (offset - window.offset), value: value)
  }
}
