import ImmutaLocking

// What a caller does with the turn: stages records, through the codec if there is one, and commits them.

extension LogWriter {
  // MARK: What callers give

  @inlinable
  func stage(payload bytes: some Collection<UInt8>) throws(ImmutaError) -> Receipt {
    do throws(ImmutaError) {
      return try unsafe withBytes(of: bytes) { bytes throws(ImmutaError) in try unsafe stage(bytes) }
    } catch {
      throw error.of(namespace)
    }
  }

  func stage<Chunks: AsyncSequence>(chunks: Chunks) async throws -> Receipt
  where Chunks.Element: Collection<UInt8> {
    do {
      try beginRecord()
    } catch {
      throw error.of(namespace)
    }
    do {
      try await withSource {
        for try await chunk in chunks {
          try unsafe withBytes(of: chunk) { bytes throws(ImmutaError) in try unsafe extendRecord(bytes) }
        }
      }
      // A source that ends early because its task was cancelled has not given all of its bytes.
      try Task.checkCancellation()
      return try endRecord()
    } catch {
      abandonRecord()
      throw (error as? ImmutaError)?.of(namespace) ?? error
    }
  }

  // MARK: Through the codec

  /// Adds a whole record after the committed ones. Bytes are copied before it returns.
  @usableFromInline
  func stage(_ bytes: UnsafeRawBufferPointer) throws(ImmutaError) -> Receipt {
    if let encoder { return try unsafe encoder.stage(bytes, into: self) }
    return try unsafe stageStored(bytes)
  }

  func beginRecord() throws(ImmutaError) {
    if let encoder { return try encoder.begin(self) }
    try beginStored()
  }

  /// Adds bytes to the record begun last.
  func extendRecord(_ bytes: UnsafeRawBufferPointer) throws(ImmutaError) {
    if let encoder { return try unsafe encoder.extend(bytes, self) }
    try unsafe extendStored(bytes)
  }

  func endRecord() throws(ImmutaError) -> Receipt {
    if let encoder { return try encoder.end(self) }
    return try endStored()
  }

  /// Takes back the record begun last.
  func abandonRecord() {
    if let encoder { return encoder.abandon(self) }
    abandonStored()
  }

  // MARK: With the turn, as the bytes are stored

  /// The number of the record that is staged next.
  var nextNumber: Int {
    get throws(ImmutaError) {
      try state.withLock { (state) throws(ImmutaError) in
        try checkUsable(state)
        return state.nextNumber
      }
    }
  }

  func stageStored(_ bytes: UnsafeRawBufferPointer) throws(ImmutaError) -> Receipt {
    if bytes.count <= pieceSize {
      return try state.withLock { (state) throws(ImmutaError) in
        try checkUsable(state)
        return try unsafe state.stage(bytes)
      }
    }
    try beginStored()
    do {
      try unsafe extendStored(bytes)
      return try endStored()
    } catch {
      abandonStored()
      throw error
    }
  }

  func beginStored() throws(ImmutaError) {
    try state.withLock { (state) throws(ImmutaError) in
      try checkUsable(state)
      try state.beginRecord()
    }
  }

  /// Adds bytes to the record begun last, a piece at a time: closing the log is possible in between.
  func extendStored(_ bytes: UnsafeRawBufferPointer) throws(ImmutaError) {
    var position = 0
    while position < bytes.count {
      let end = min(position + pieceSize, bytes.count)
      try state.withLock { (state) throws(ImmutaError) in
        try checkUsable(state)
        try unsafe state.extendRecord(UnsafeRawBufferPointer(rebasing: bytes[position..<end]))
      }
      position = end
    }
  }

  func endStored() throws(ImmutaError) -> Receipt {
    try state.withLock { (state) throws(ImmutaError) in
      try checkUsable(state)
      return try state.endRecord()
    }
  }

  /// Takes back the record begun last.
  func abandonStored() {
    state.withLock { $0.abandonRecord() }
  }

  /// Commits what was staged; returns the number of committed records.
  ///
  /// - Parameter time: when; nil for now.
  @discardableResult
  func commit(at time: Int64? = nil) throws(ImmutaError) -> Int {
    let count = try state.withLock { (state) throws(ImmutaError) in
      try checkUsable(state)
      try state.commit(at: time)
      return state.count
    }
    announce(count)
    return count
  }
}
