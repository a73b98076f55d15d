import CImmutaFileCalls

/// Four bytes of memory that may be a file's, and what they held. The address is for the kernel alone: nothing is loaded.
@safe struct FileWord {
  let raw: file_word
  var value: UInt32 { unsafe raw.value }

  init(at address: UnsafeRawPointer, value: UInt32) {
    unsafe raw = file_word(address: address, value: value)
  }

  /// Wakes its waiters, in every process; returns how many there were.
  func wake() -> Int { unsafe SystemCalls.wake(raw.address) }
}
