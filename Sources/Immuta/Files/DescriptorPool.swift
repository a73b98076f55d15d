import ImmutaLocking

/// The descriptors that readers of one file share, opened when first needed.
///
/// Reads carry their own offsets, so one descriptor serves any number of readers at once and nobody waits for one. Several
/// descriptors each have a read-ahead state, so that streams at different places of a log larger than memory don't spoil each
/// other's.
///
/// They are let go when too many files are open and nobody used them lately: see ``OpenFiles``. They are closed with the
/// directory, at the latest.
final class DescriptorPool: Sendable {
  private let directory: Directory
  private let name: String
  private let identity: FileIdentity
  private let slots: Slots

  /// The open descriptors. ``OpenFiles`` and the directory keep this until the pool is closed.
  private final class Slots: OpenFiles.Holder, ClosedTogether.Member {
    let state: Lock<State>

    struct State {
      var open: [Descriptor?]
      /// The descriptor that the log was opened by; used itself if the name no longer leads to it, or if no further descriptor
      /// can be had.
      var original: Descriptor?
      var isUsed = false
      /// Whether ``OpenFiles`` knows of them.
      var isListed = false
      /// Whether none is opened any more.
      var isClosed = false
      var isOver = false

      mutating func letGo() {
        for slot in open.indices { open[slot] = nil }
        isListed = false
      }

      mutating func close() {
        (original, isClosed) = (nil, true)
        letGo()
      }
    }

    init(_ capacity: Int, _ original: Descriptor?) {
      state = Lock(State(open: Array(repeating: nil, count: capacity), original: original))
    }

    func wasUsed() -> Bool {
      state.withLock { state in
        defer { state.isUsed = false }
        return state.isUsed
      }
    }

    func rest() -> OpenFiles.Rest {
      state.withLock { $0.letGo() }
      return .resting
    }

    func close() { state.withLock { $0.close() } }

    /// Nobody opens them again: ``OpenFiles`` forgets this, some time later.
    func end() {
      state.withLock { state in
        state.close()
        state.isOver = true
      }
    }

    var flusherOfOwn: (any OpenFiles.HeldFilesFlusher)? { nil }
    var isOver: Bool { state.withLock { $0.isOver } }
  }

  /// - Parameters:
  ///   - file: the descriptor the log was opened by; the pool reads the same file or none.
  ///   - identity: of that file.
  init(like file: Descriptor, _ identity: FileIdentity, _ name: String, of directory: Directory, capacity: Int) {
    self.directory = directory
    self.name = name
    self.identity = identity
    slots = Slots(capacity, file)
    closeWithDirectory()
  }

  /// A pool of one descriptor, which is open already, and is opened again by its name once it was let go.
  init(of file: Descriptor, _ identity: FileIdentity, _ name: String, in directory: Directory) {
    self.directory = directory
    self.name = name
    self.identity = identity
    slots = Slots(1, nil)
    file.mayRest(in: directory, as: name, identity, .read)
    slots.state.withLock { slots in
      slots.open[0] = file
      slots.isListed = true
    }
    OpenFiles.shared.add(slots, isKept: true)
    closeWithDirectory()
  }

  private func closeWithDirectory() {
    if !directory.together.add(slots) { slots.close() }
  }

  deinit {
    directory.together.forget(slots)
    slots.end()
  }

  /// A descriptor; the same one for the same `reader`.
  @inline(__always)
  func descriptor(for reader: Int) throws(FileError) -> Descriptor {
    let open = slots.state.withLock { slots in
      slots.isUsed = true
      return slots.open[reader % slots.open.count]
    }
    if let open { return open }
    return try opened(for: reader)
  }

  @inline(never)
  private func opened(for reader: Int) throws(FileError) -> Descriptor {
    var isNew = false
    let descriptor = try slots.state.withLock { (slots) throws(FileError) in
      let slot = reader % slots.open.count
      // Another caller may have been faster.
      if let open = slots.open[slot] { return open }
      if slots.isClosed { throw .closed }
      // The file may have been removed or replaced since: only the file that was opened may be read.
      let new = try? directory.openIfPresent(name, .read)
      let isSame = (try? new?.status())?.identity == identity
      guard let descriptor = isSame ? new : slots.original else { throw .closed }
      if isSame { descriptor.mayRest(in: directory, as: name, identity, .read) }
      slots.open[slot] = descriptor
      isNew = !slots.isListed
      slots.isListed = true
      return descriptor
    }
    if isNew {
      OpenFiles.shared.add(slots, isKept: true)
      OpenFiles.shared.makeRoom(mayBlock: false)
    }
    return descriptor
  }

  /// Releases the descriptors; reads under way are finished.
  func close() { slots.close() }

  /// Lets go of the descriptors, which the next read opens again.
  func letGoOfFiles() {
    _ = slots.rest()
  }
}
