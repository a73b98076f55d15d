// A file that begins with two slots, written in turn: see ``TwoSlots``.
extension Descriptor {
  /// The bytes of both slots; nil where the file ends before they do.
  func twoSlots() throws(ImmutaError) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: TwoSlots.size)
    let count = try unsafe bytes.withMutableBytes { (bytes) throws(ImmutaError) in
      try unsafe io(read(into: bytes, at: 0))
    }
    return count == bytes.count ? bytes : nil
  }

  /// Writes the slot of a generation in its place, over the one of the generation before the last. It is torn or whole; the
  /// last one stays.
  func write(slot: [UInt8], of generation: UInt64) throws(ImmutaError) {
    precondition(slot.count <= TwoSlots.slotSize, "a slot has \(TwoSlots.slotSize) bytes")
    try io(write(slot, at: TwoSlots.offset(of: generation)))
  }

  /// Writes the first slot of a file, and the one beside it, which reads as nothing.
  func write(firstSlot slot: [UInt8]) throws(ImmutaError) {
    precondition(slot.count <= TwoSlots.slotSize, "a slot has \(TwoSlots.slotSize) bytes")
    try io(write(slot + [UInt8](repeating: 0, count: TwoSlots.size - slot.count), at: 0))
  }
}
